/* An authority that a person brings: everything that could be wrong with it is told before anything is made with it. */
#include "consul/certificate.h"

#include <openssl/err.h>

#include "certificate_parts.h"
#include "util/clock.h"

static int check_lifetime(const X509 *certificate, int64_t now_s, struct err *err)
{
	int64_t from_s, until_s;

	if (certificate_time(X509_get0_notBefore(certificate), &from_s) < 0 ||
	    certificate_time(X509_get0_notAfter(certificate), &until_s) < 0)
		return err_set(err, ERR_INVALID, "it has no lifetime that can be read");
	if (now_s < from_s) {
		_cleanup_free_ char *from = clock_format_rfc3339(from_s);

		return err_set(err, ERR_INVALID, "it is not valid before %s", from);
	}
	if (until_s <= now_s) {
		_cleanup_free_ char *until = clock_format_rfc3339(until_s);

		return err_set(err, ERR_INVALID, "it expired at %s", until);
	}
	return 0;
}

/* The values of X509_check_ca and X509_check_purpose other than 1 are for certificates of times before
 * basicConstraints. */
static int check_authority(X509 *certificate, int64_t now_s, struct err *err)
{
	uint32_t flags = X509_get_extension_flags(certificate);

	ERR_clear_error();
	if (flags & EXFLAG_INVALID)
		return err_set(err, ERR_INVALID, "its extensions cannot be read");
	if (!(flags & EXFLAG_CA)) {
		err_set(err, ERR_INVALID, "it is not the certificate of an authority (CA:TRUE)");
		return err_hint(err, "it is the authority that is needed here, which signs the servers' certificates");
	}
	if (X509_check_ca(certificate) != 1)
		return err_set(err, ERR_INVALID, "it may not sign certificates (key usage has no keyCertSign)");
	if (X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 1) != 1 ||
	    X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 1) != 1)
		return err_set(err, ERR_INVALID,
		               "it may not sign certificates of TLS servers and clients (extended key usage)");
	return check_lifetime(certificate, now_s, err);
}

static int read_key(X509 *certificate, const char *key_pem, const char *certificate_name, char **ret_key,
                    struct err *err)
{
	_cleanup_pkey_ EVP_PKEY *key = NULL;

	if (certificate_load_key(key_pem, &key, err) < 0)
		return -1;
	if (X509_check_private_key(certificate, key) != 1) {
		ERR_clear_error();
		return err_set(err, ERR_INVALID, "it is not the key of the certificate of %s", certificate_name);
	}
	return certificate_key_pem(key, ret_key, err);
}

/* Whatever else is wrong with it (name constraints, an odd name): a certificate of its own is not trusted by it. */
static int try_authority(const struct key_pair *authority, int64_t now_s, struct err *err)
{
	struct certificate_request request = { .common_name = "server.dc1.consul", .days = 1 };
	_cleanup_err_ struct err ignored = ERR_INIT;
	struct key_pair leaf = KEY_PAIR_INIT;
	int status = 0;

	if (authority->key && certificate_issue(authority, &request, now_s, &leaf, &ignored) == 0)
		status = certificate_verify(leaf.certificate, authority->certificate, now_s, err);
	key_pair_release(&leaf);
	return status < 0 ? err_wrap(err, "what it signs would not be trusted") : 0;
}

int certificate_read_authority(const char *certificate_pem, const char *certificate_name, const char *key_pem,
                               const char *key_name, int64_t now_s, struct key_pair *ret, struct err *err)
{
	_cleanup_x509s_ STACK_OF(X509) *chain = NULL;
	_cleanup_buf_ struct buf text = BUF_TEXT;
	struct key_pair pair;
	char *key = NULL;

	if (certificate_load(certificate_pem, &chain, err) < 0 ||
	    check_authority(sk_X509_value(chain, 0), now_s, err) < 0)
		return err_wrap(err, "%s", certificate_name);
	if (key_pem && read_key(sk_X509_value(chain, 0), key_pem, certificate_name, &key, err) < 0)
		return err_wrap(err, "%s", key_name);
	for (int i = 0; i < sk_X509_num(chain); i++)
		certificate_add_pem(&text, sk_X509_value(chain, i));
	pair = (struct key_pair){ .certificate = buf_detach(&text), .key = key };
	if (try_authority(&pair, now_s, err) < 0) {
		key_pair_release(&pair);
		return err_wrap(err, "%s", certificate_name);
	}
	*ret = pair;
	return 0;
}
