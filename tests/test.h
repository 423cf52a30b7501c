/* What every test includes: cmocka and its prerequisites. */
#ifndef GX_TESTS_TEST_H
#define GX_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
