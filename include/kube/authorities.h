/*
 * kube/authorities.h - the certificate authorities that the system trusts, for a cluster that names none of its own.
 *
 * A libcurl from a distribution knows where its distribution keeps them; one that is linked into a binary for all
 * of them does not. The places, and the environment's say in it, are Go's (crypto/x509: root_unix.go, root_linux.go),
 * and so kubectl's.
 */
#ifndef KUBE_AUTHORITIES_H
#define KUBE_AUTHORITIES_H

#include <stddef.h>

/* What decides. All strings are borrowed for the call. */
struct kube_authorities_inputs {
	const char *env_file; /* $SSL_CERT_FILE: in the place of the files that are looked for; NULL: not set */
	const char *env_dir;  /* $SSL_CERT_DIR: directories, separated by ':', in the place of those looked in */
	const char *root;     /* what the usual places are below: normally "/"; NULL: nothing is looked for */
};

/* No more than so much is read. */
#define KUBE_AUTHORITIES_MAX ((size_t)4 * 1024 * 1024)

/*
 * The certificates, PEM, one after the other; a new string. Those of the first file that has any; and, when there is
 * no such file or env_dir is set, those of all files of the first directory that has any (of each one in env_dir).
 * What cannot be read is passed over. NULL: there are none. Reads files.
 */
char *kube_authorities_read(const struct kube_authorities_inputs *inputs) __attribute__((warn_unused_result, nonnull));

#endif
