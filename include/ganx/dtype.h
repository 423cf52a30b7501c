/* The types of numbers that tensors are made of. */
#ifndef GANX_DTYPE_H
#define GANX_DTYPE_H

enum gx_dtype { GX_F32, GX_F16, GX_BF16, GX_F64, GX_I64, GX_I32, GX_I16, GX_I8, GX_U8, GX_BOOL };

#endif
