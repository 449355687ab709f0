/* See include/kube/authorities.h. */
#include "kube/authorities.h"

#include <string.h>

#include "util/buf.h"
#include "util/err.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

/* Below the root. */
static const char *const usual_files[] = {
	"etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Gentoo, Arch */
	"etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, older RHEL */
	"etc/ssl/ca-bundle.pem",                            /* openSUSE */
	"etc/pki/tls/cacert.pem",                           /* OpenELEC */
	"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL, CentOS, Fedora */
	"etc/ssl/cert.pem",                                 /* Alpine, OpenBSD, macOS */
	"usr/local/etc/ssl/cert.pem",                       /* FreeBSD */
	"usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD, DragonFly */
	"etc/openssl/certs/ca-certificates.crt",            /* NetBSD */
};

static const char *const usual_directories[] = {
	"etc/ssl/certs",               /* SLES, Debian */
	"etc/pki/tls/certs",           /* Fedora, RHEL */
	"system/etc/security/cacerts", /* Android */
	"usr/local/share/certs",       /* FreeBSD */
	"etc/openssl/certs",           /* NetBSD */
};

/* True when the file added a certificate. */
static bool add_file(struct buf *pem, const char *path)
{
	_cleanup_buf_ struct buf content = { .max = pem->max - pem->len };
	_cleanup_err_ struct err ignored = ERR_INIT;

	if (!file_exists(path) || file_read(path, &content, &ignored) < 0 || content.len >= content.max ||
	    strlen(buf_text(&content)) != content.len || !strstr(buf_text(&content), "-----BEGIN "))
		return false;
	buf_adds(pem, buf_text(&content));
	buf_addc(pem, '\n');
	return true;
}

static bool add_directory(struct buf *pem, const char *path)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_err_ struct err ignored = ERR_INIT;
	bool added = false;

	if (file_list(path, &names, &ignored) < 0)
		return false;
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_free_ char *file = file_join(path, names.items[i]);

		added |= add_file(pem, file);
	}
	return added;
}

static void add_first(struct buf *pem, const char *root, const char *const *places, size_t count,
                      bool (*add)(struct buf *pem, const char *path))
{
	bool found = false;

	for (size_t i = 0; i < count && !found; i++) {
		_cleanup_free_ char *path = file_join(root, places[i]);

		found = add(pem, path);
	}
}

static void add_directories(struct buf *pem, const char *list)
{
	_cleanup_strv_ struct strv directories = STRV_INIT;

	strv_split(&directories, list, ':');
	for (size_t i = 0; i < directories.count; i++)
		add_directory(pem, directories.items[i]);
}

char *kube_authorities_read(const struct kube_authorities_inputs *inputs)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(KUBE_AUTHORITIES_MAX);

	if (!str_is_empty(inputs->env_file))
		add_file(&pem, inputs->env_file);
	else if (inputs->root)
		add_first(&pem, inputs->root, usual_files, ARRAY_SIZE(usual_files), add_file);
	if (!str_is_empty(inputs->env_dir))
		add_directories(&pem, inputs->env_dir);
	else if (pem.len == 0 && inputs->root)
		add_first(&pem, inputs->root, usual_directories, ARRAY_SIZE(usual_directories), add_directory);
	return pem.len > 0 ? buf_detach(&pem) : NULL;
}
