/*
 * certificate_parts.h - what src/consul/certificate*.c share: OpenSSL's objects in and out of PEM.
 *
 *     certificate_make.c       authorities and servers' certificates
 *     certificate_authority.c  an authority that a person brings
 *     certificate_read.c       what a certificate says, whether it is trusted, bundles
 *     certificate_pem.c        what is below
 *
 * OpenSSL's error queue is empty after each call of certificate.h: libcurl takes what is left in it for the cause of its own
 * next failure.
 */
#ifndef CONSUL_CERTIFICATE_PARTS_H
#define CONSUL_CERTIFICATE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "util/buf.h"
#include "util/err.h"
#include "util/mem.h"

DEFINE_POINTER_CLEANUP(BIO *, BIO_free_all)
DEFINE_POINTER_CLEANUP(X509 *, X509_free)
DEFINE_POINTER_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

#define _cleanup_bio_ _cleanup_(BIO_free_all_pointer)
#define _cleanup_x509_ _cleanup_(X509_free_pointer)
#define _cleanup_pkey_ _cleanup_(EVP_PKEY_free_pointer)
#define _cleanup_x509s_ _cleanup_(certificate_list_free)

void certificate_list_free(STACK_OF(X509) **list);

/* ERR_FAILED: what could not be done, and OpenSSL's reason, whose queue is emptied. Returns -1. */
int certificate_failed(struct err *err, const char *what);

/* All certificates of a PEM text, at least one. ERR_INVALID: there is none, or one that cannot be read. */
int certificate_load(const char *pem, STACK_OF(X509) **ret_list, struct err *err) __attribute__((warn_unused_result));

/* The first private key of a PEM text. ERR_INVALID: there is none, it is encrypted, or cannot be read. */
int certificate_load_key(const char *pem, EVP_PKEY **ret_key, struct err *err) __attribute__((warn_unused_result));

void certificate_add_pem(struct buf *out, X509 *certificate);

/* PKCS#8, not encrypted. To be freed by free_secret. */
int certificate_key_pem(EVP_PKEY *key, char **ret_pem, struct err *err) __attribute__((warn_unused_result));

/* Seconds since 1970; -1: the field holds no time. */
int certificate_time(const ASN1_TIME *field, int64_t *ret_s) __attribute__((warn_unused_result));

#endif
