/* See config_parts.h. As whom: what flags and the user entry give to log in with. */
#include "config_parts.h"

#include <string.h>

#include "util/buf.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

int config_read_pem(const char *path, const char *what, const char *owner, char **ret_pem, struct err *err)
{
	_cleanup_buf_ struct buf pem = { .max = KUBECONFIG_PEM_MAX, .secret = true };
	_cleanup_free_ char *shown_path = str_visible(path, 0), *shown_owner = str_visible(owner, NAME_SHOWN);
	_cleanup_err_ struct err reason = ERR_INIT;

	if (file_read(path, &pem, &reason) < 0)
		return err_set(err, reason.kind, "unable to read %s %s for %s due to %s", what, shown_path, shown_owner,
		               reason.message);
	if (pem.len == 0 || strlen(buf_text(&pem)) != pem.len)
		return err_set(err, ERR_CONFIG, "unable to read %s %s for %s due to its content, which is not PEM",
		               what, shown_path, shown_owner);
	*ret_pem = buf_detach(&pem);
	return 0;
}

/* A flag wins over data, data over a file. */
static int resolve_pem(const char *flag, const char *data, const char *file, const char *what, const char *owner,
                       char **ret_pem, struct err *err)
{
	if (!str_is_empty(flag))
		return config_read_pem(flag, what, owner, ret_pem, err);
	if (data)
		*ret_pem = xstrdup(data);
	else if (file)
		return config_read_pem(file, what, owner, ret_pem, err);
	return 0;
}

static int resolve_certificate(const struct kube_config_inputs *inputs, const struct kubeconfig_user *user,
                               struct kube_config *config, struct err *err)
{
	static const struct kubeconfig_user nobody = { 0 };
	_cleanup_free_ char *shown = NULL;
	const char *owner = user && user->name ? user->name : "";

	if (!user || !str_is_empty(inputs->token))
		user = &nobody;
	if (resolve_pem(inputs->client_certificate, user->cert_pem, user->cert_file, "client-cert", owner,
	                &config->client_cert_pem, err) < 0 ||
	    resolve_pem(inputs->client_key, user->key_pem, user->key_file, "client-key", owner, &config->client_key_pem,
	                err) < 0)
		return -1;
	if (!config->client_cert_pem == !config->client_key_pem)
		return 0;
	shown = str_visible(owner, NAME_SHOWN);
	if (config->client_cert_pem)
		return err_set(err, ERR_CONFIG,
		               "client-key-data or client-key must be specified for %s to use the clientCert "
		               "authentication method.",
		               shown);
	return err_set(err, ERR_CONFIG,
	               "client-certificate-data or client-certificate must be specified for %s to use its client key",
	               shown);
}

/* The client reads it again and again; a file that cannot be read at all is told now. */
static int check_token_file(const char *path, struct err *err)
{
	_cleanup_buf_ struct buf token = { .max = KUBECONFIG_TOKEN_MAX, .secret = true };
	_cleanup_free_ char *shown = NULL;

	if (file_read(path, &token, err) < 0)
		return -1;
	if (token.len > 0)
		return 0;
	shown = str_visible(path, 0);
	return err_set(err, ERR_CONFIG, "token file \"%s\" was empty", shown);
}

int config_resolve_user(const struct kube_config_inputs *inputs, const struct choice *choice,
                        struct kube_config *config, struct err *err)
{
	const struct kubeconfig_user *user = choice->user;

	if (resolve_certificate(inputs, user, config, err) < 0)
		return -1;
	if (!str_is_empty(inputs->token)) {
		config->token = xstrdup(inputs->token);
	} else if (user && user->token) {
		config->token = xstrdup(user->token);
	} else if (user && user->token_file) {
		if (check_token_file(user->token_file, err) < 0)
			return -1;
		config->token_file = xstrdup(user->token_file);
	}
	return 0;
}
