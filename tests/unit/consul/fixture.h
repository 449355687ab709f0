/* Files of tests/unit/consul/fixtures; the tests run in the top directory. */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include <stddef.h>

/* The content of a fixture ("1.8.7/healthy-0-members.json"), NUL-terminated; the test fails when it is not there. */
char *fixture_read(const char *name, size_t *ret_length) __attribute__((warn_unused_result));

#endif
