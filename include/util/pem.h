/*
 * util/pem.h - reading PEM by OpenSSL.
 */
#ifndef UTIL_PEM_H
#define UTIL_PEM_H

#include <openssl/bio.h>

/* Reads from pem, borrowed. Freed by BIO_free. */
BIO *pem_open(const char *pem) __attribute__((warn_unused_result));

/* A pem_password_cb that never prompts: notes in context, a bool, that a password was asked for, and gives none. */
int pem_no_password(char *password, int size, int for_writing, void *context);

#endif
