/* Rows of the option table (options.c, which includes this inside it): degrade.*, how the small
 * pictures of super-resolution are made. Keys ending in 2 are of Real-ESRGAN's second stage. */
#define TRAIN_SR .verbs = TRAIN, .families = GX_IN(sr)

/* clang-format off */
#define STAGE(s, n, blurs, sigma, resizes, factors, deviations, strengths, second)                 \
    {"degrade.blur_prob" n, REAL(degrade.s.blur_prob), .initial = blurs, RANGE(0, 1),              \
     .metavar = "P", TRAIN_SR, .help = "probability of blur" second},                              \
    {"degrade.blur_size" n, NUMBERS(degrade.s.blur_size), .initial = "7,21", RANGE(1, 51),         \
     .metavar = "N,N", TRAIN_SR, .help = "least and greatest side of its kernel, odd" second},     \
    {"degrade.shape_prob" n, NUMBERS(degrade.s.shape_prob),                                        \
     .initial = "0.45,0.25,0.12,0.03,0.12,0.03", RANGE(0, 1e6), .metavar = "P,P,P,P,P,P", TRAIN_SR,\
     .help = "shares of its shapes: Gaussian, generalised Gaussian, plateau, each round and "      \
             "stretched, as iso, aniso, iso, aniso, iso, aniso" second},                           \
    {"degrade.sinc_prob" n, REAL(degrade.s.sinc_prob), .initial = "0.1", RANGE(0, 1),              \
     .metavar = "P", TRAIN_SR, .help = "probability of a sinc filter, which rings, instead" second},\
    {"degrade.blur_sigma" n, NUMBERS(degrade.s.blur_sigma), .initial = sigma, RANGE(0.01, 100),    \
     .metavar = "X,X", TRAIN_SR, .help = "range of the deviation in pixels" second},               \
    {"degrade.betag_range" n, NUMBERS(degrade.s.betag_range), .initial = "0.5,4",                  \
     RANGE(0.01, 100), .metavar = "X,X", TRAIN_SR,                                                 \
     .help = "range of a generalised Gaussian's exponent" second},                                 \
    {"degrade.betap_range" n, NUMBERS(degrade.s.betap_range), .initial = "1,2",                    \
     RANGE(0.01, 100), .metavar = "X,X", TRAIN_SR, .help = "range of a plateau's exponent" second},\
    {"degrade.resize_prob" n, NUMBERS(degrade.s.resize_prob), .initial = resizes, RANGE(0, 1e6),   \
     .metavar = "P,P,P", TRAIN_SR,                                                                 \
     .help = "real: shares of larger, smaller and neither" second},                                \
    {"degrade.resize_range" n, NUMBERS(degrade.s.resize_range), .initial = factors,                \
     RANGE(0.01, 8), .metavar = "X,X", TRAIN_SR,                                                   \
     .help = "real: factors of the sides, at most so much smaller and larger" second},             \
    {"degrade.noise_prob" n, REAL(degrade.s.noise_prob), .initial = "1", RANGE(0, 1),              \
     .metavar = "P", TRAIN_SR, .help = "probability of noise" second},                             \
    {"degrade.gaussian_prob" n, REAL(degrade.s.gaussian_prob), .initial = "0.5", RANGE(0, 1),      \
     .metavar = "P", TRAIN_SR, .help = "probability that it is Gaussian; else it is Poisson's" second},\
    {"degrade.gaussian_range" n, NUMBERS(degrade.s.gaussian_range), .initial = deviations,         \
     RANGE(0, 255), .metavar = "X,X", TRAIN_SR, .help = "range of its deviation, of 255" second},  \
    {"degrade.poisson_range" n, NUMBERS(degrade.s.poisson_range), .initial = strengths,            \
     RANGE(0, 100), .metavar = "X,X", TRAIN_SR, .help = "range of what multiplies Poisson's" second},\
    {"degrade.grey_prob" n, REAL(degrade.s.grey_prob), .initial = "0.4", RANGE(0, 1),              \
     .metavar = "P", TRAIN_SR, .help = "probability that all channels have the same noise" second},\
    {"degrade.jpeg_prob" n, REAL(degrade.s.jpeg_prob), .initial = "1", RANGE(0, 1),                \
     .metavar = "P", TRAIN_SR, .help = "probability of JPEG" second},                              \
    {"degrade.jpeg_range" n, NUMBERS(degrade.s.jpeg_range), .initial = "30,95", RANGE(1, 100),     \
     .metavar = "N,N", TRAIN_SR, .help = "range of its quality" second}

    {"degrade.kind", "degrade", CHOICE(degrade.kind), .initial = "bicubic",
     WORDS("bicubic", "classic", "real", "learnt"), .metavar = "KIND", TRAIN_SR,
     .help = "how small pictures are made, where there is no LR/: bicubic as MATLAB does; classic "
             "with blur, noise and JPEG; real as Real-ESRGAN, twice; learnt by degrade.model"},
    {"degrade.model", PATH(degrade.model), .initial = "", .metavar = "MODEL", TRAIN_SR,
     .flags = RESUME,
     .help = "learnt: a run of ganx cycle train with net.scale, whose generator from B to A it is"},
    {"degrade.eight_bit", BOOL(degrade.eight_bit), .initial = "true", TRAIN_SR,
     .help = "round them to 256 levels, as files have"},
    {"degrade.margin", INT(degrade.margin), .initial = "16", RANGE(0, 256), .metavar = "N", TRAIN_SR,
     .help = "classic, real: at least so many pixels beside a cut are made small with it"},
    {"degrade.usm", BOOL(degrade.usm), .initial = "false", TRAIN_SR,
     .help = "sharpen what outputs are compared with, and what small pictures are made of"},
    {"degrade.usm_radius", INT(degrade.usm_radius), .initial = "50", RANGE(1, 254), .metavar = "N",
     TRAIN_SR, .help = "sharpening: width of the blur that the picture is compared with"},
    {"degrade.usm_weight", REAL(degrade.usm_weight), .initial = "0.5", RANGE(0, 10), .metavar = "X",
     TRAIN_SR, .help = "sharpening: so many times the difference from the blur is added"},
    {"degrade.usm_threshold", REAL(degrade.usm_threshold), .initial = "10", RANGE(0, 255),
     .metavar = "X", TRAIN_SR, .help = "sharpening: only where the difference is more than this, of 255"},
    STAGE(first, "", "1", "0.2,3", "0.2,0.7,0.1", "0.15,1.5", "1,30", "0.05,3", ""),
    STAGE(second, "2", "0.8", "0.2,1.5", "0.3,0.4,0.3", "0.3,1.2", "1,25", "0.05,2.5",
          ", second stage"),
    {"degrade.final_sinc_prob", REAL(degrade.final_sinc_prob), .initial = "0.8", RANGE(0, 1),
     .metavar = "P", TRAIN_SR, .help = "real: probability of ringing at the end"},
/* clang-format on */

#undef STAGE
#undef TRAIN_SR
