/* See include/cmd/deploy_options.h. */
#include "cmd/deploy_options.h"

#include <assert.h>
#include <string.h>

#include "util/file.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* Most bytes of a file with a certificate, a key, or a piece of configuration. */
#define INPUT_MAX ((size_t)256 * 1024)

static const char *const deploy_output_choices[] = { "yaml", "json", "name", NULL };

#define DEPLOY_AT(member_) OPTION_AT(struct deploy_options, member_)

const struct option deploy_option_table[] = {
	{ .name = "replicas",
	  .kind = OPTION_INT,
	  DEPLOY_AT(replicas),
	  .min = 1,
	  .max = MANIFEST_REPLICAS_MAX,
	  .value_name = "N",
	  .complete = COMPLETE_SIZE,
	  .help = "Number of servers of a new cluster: 3 (the default) or 5. One that exists is brought to it after "
	          "everything else, as `kubectl consul scale` does it." },
	{ .name = "image",
	  .kind = OPTION_STRING,
	  DEPLOY_AT(image),
	  .value_name = "IMAGE",
	  .help =
	      "Image of the servers; " MANIFEST_IMAGE " for a new cluster, and what they run for one that exists." },
	{ .name = "storage-size",
	  .kind = OPTION_STRING,
	  DEPLOY_AT(storage_size),
	  .value_name = "SIZE",
	  .help =
	      "Size of each server's volume; " MANIFEST_STORAGE_SIZE " for a new cluster. Cannot be changed later." },
	{ .name = "storage-class",
	  .kind = OPTION_STRING,
	  DEPLOY_AT(storage_class),
	  .value_name = "NAME",
	  .complete = COMPLETE_STORAGE_CLASS,
	  .help = "StorageClass of the volumes; the cluster's default one if not given. Cannot be changed later." },
	{ .name = "datacenter",
	  .kind = OPTION_STRING,
	  DEPLOY_AT(datacenter),
	  .value_name = "NAME",
	  .help =
	      "Consul's name of the datacenter; " MANIFEST_DATACENTER " for a new cluster. Cannot be changed later." },
	{ .name = "set-config",
	  .kind = OPTION_STRING,
	  DEPLOY_AT(config_path),
	  .value_name = "FILE",
	  .complete = COMPLETE_FILE,
	  .help =
	      "A JSON object of Consul settings to be added to the servers' configuration, instead of what was added "
	      "before; {} for nothing. Servers are replaced for it, one at a time." },
	{ .name = "tls",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(tls),
	  .help = "Encrypt RPC and the HTTP API. The default for a new cluster; one that runs without is taken there "
	          "one server at a time, in three goes." },
	{ .name = "no-tls",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(no_tls),
	  .help = "Neither RPC nor the HTTP API is encrypted." },
	{ .name = "tls-ca-cert",
	  .kind = OPTION_STRING,
	  DEPLOY_AT(authority_path),
	  .value_name = "FILE",
	  .complete = COMPLETE_FILE,
	  .help =
	      "Certificate of your own authority (PEM), which signs the servers' certificate; otherwise one is made." },
	{ .name = "tls-ca-key",
	  .kind = OPTION_STRING,
	  DEPLOY_AT(authority_key_path),
	  .value_name = "FILE",
	  .complete = COMPLETE_FILE,
	  .help = "Its private key (PEM, not encrypted). It is used to sign, and kept nowhere." },
	{ .name = "tls-ca-key-in-use",
	  .kind = OPTION_STRING,
	  DEPLOY_AT(key_in_use_path),
	  .value_name = "FILE",
	  .complete = COMPLETE_FILE,
	  .help =
	      "For a change from an authority of your own to another: the private key of the one in use. It is used to "
	      "sign, and kept nowhere." },
	{ .name = "cluster-domain",
	  .kind = OPTION_STRING,
	  DEPLOY_AT(cluster_domain),
	  .value_name = "DOMAIN",
	  .default_text = "cluster.local",
	  .help = "DNS domain of the Kubernetes cluster, for the names in the servers' certificate." },
	{ .name = "acls",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(acls),
	  .help =
	      "Enforce ACLs in a new cluster, with everything denied that no rule allows. The management token is kept "
	      "in the Secret NAME-acl-bootstrap, where the other commands find it." },
	{ .name = "reset-acls",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(reset_acls),
	  .help =
	      "Where the management token was lost: bootstrap ACLs once more, as Consul documents it (a file in the "
	      "leader's data directory, by pods/exec). Other tokens stay as they are." },
	{ .name = "preflight",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(preflight),
	  .help = "Only look at everything that could go wrong, and change nothing." },
	{ .name = "skip-preflight",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(skip_preflight),
	  .help = "Do not look before, for those who know better: nodes that are still to come, say." },
	{ .name = "diff",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(diff),
	  .help = "Only show what would change, and which servers would be replaced for it." },
	{ .name = "rollback",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(rollback),
	  .help = "Go back to the pod template before the last change, and to the configuration that went with it." },
	{ .name = "rotate-certs",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(rotate_certs),
	  .help =
	      "Only renew the servers' certificate. With --tls-ca-cert of another authority change to that one. Nobody "
	      "is restarted." },
	{ .name = "rotate-ca",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(rotate_authority),
	  .help = "Only change to a new authority and a certificate by it. Nobody is restarted." },
	{ .name = "rotate-gossip-key",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(rotate_gossip_key),
	  .help = "Only change the gossip key. Nobody is restarted." },
	{ .name = "filename",
	  .letter = 'f',
	  .kind = OPTION_LIST,
	  DEPLOY_AT(files),
	  .value_name = "FILE",
	  .complete = COMPLETE_FILE,
	  .help = "Apply the objects in this file or directory instead of the built-in ones, and wait for their Consul "
	          "servers "
	          "the same way. YAML or JSON, several documents, - for standard input. May be given several times." },
	{ .name = "wait",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(wait),
	  .default_text = "true",
	  .help = "Wait until every server is a voter, at most --timeout (5m unless given; 15m where servers are "
	          "replaced), then show the health. Servers that run are replaced only while it waits." },
	{ .name = "force-conflicts",
	  .kind = OPTION_FLAG,
	  DEPLOY_AT(force_conflicts),
	  .help = "Take over fields that somebody else set to something else. The number of servers stays as it is." },
	CMD_OPTION_DRY_RUN(struct deploy_options, dry_run),
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPTION_CHOICE,
	  DEPLOY_AT(output),
	  .choices = deploy_output_choices,
	  .wrong_choice = CMD_WRONG_OUTPUT("json,name,yaml"),
	  .help = "Print exactly what would be applied, as yaml, json, or the names alone, and apply nothing. For a "
	          "new cluster this "
	          "holds its keys and tokens; "
	          "Secrets that exist are not touched, and left out." },
	{ 0 },
};

/* ------------------------------------------------------------------------------- what goes together */

/* Whether any of names was given: the first one. NULL: none. */
static const char *first_given(const struct cmd_context *context, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (option_was_given(context->words, names[i]))
			return names[i];
	return NULL;
}

/* Options that say what the built-in objects look like. */
static const char *const built_in[] = { "replicas",       "image",       "storage-size", "storage-class", "datacenter",
	                                "set-config",     "tls",         "no-tls",       "acls",          "reset-acls",
	                                "cluster-domain", "tls-ca-cert", "tls-ca-key" };
/* Those that do one thing only. */
static const char *const alone[] = { "rollback", "rotate-certs", "rotate-ca", "rotate-gossip-key" };

static int check_alone(const struct cmd_context *context, struct err *err)
{
	const struct deploy_options *options = context->options;
	const char *one = first_given(context, alone, ARRAY_SIZE(alone));
	bool rotates = options->rotate_certs || options->rotate_authority || options->rotate_gossip_key;

	for (size_t i = 0; one && i < ARRAY_SIZE(built_in); i++) {
		bool signs =
		    (options->rotate_certs && str_starts_with(built_in[i], "tls-ca-")) ||
		    ((options->rotate_certs || options->rotate_authority) && str_equal(built_in[i], "cluster-domain"));

		if (option_was_given(context->words, built_in[i]) && !signs)
			return err_set(err, ERR_USAGE, "--%s cannot be used with --%s, which changes nothing else",
			               built_in[i], one);
	}
	if (options->key_in_use_path && !options->rotate_certs && !options->rotate_authority)
		return err_set(err, ERR_USAGE, "--tls-ca-key-in-use goes with --rotate-certs or --rotate-ca");
	if (options->rollback && rotates)
		return err_set(err, ERR_USAGE, "--rollback and the rotation of keys are two commands");
	if (rotates && (options->preflight || options->diff || options->dry_run != CMD_DRY_RUN_NONE ||
	                option_was_given(context->words, "output")))
		return err_set(err, ERR_USAGE,
		               "--%s changes keys only, and at once: it cannot be used with --preflight, --diff, "
		               "--dry-run or -o",
		               one);
	return 0;
}

int deploy_options_check(const struct cmd_context *context, struct err *err)
{
	const struct deploy_options *options = context->options;
	const char *given = first_given(context, built_in, ARRAY_SIZE(built_in));

	if (!given)
		given = first_given(context, alone, ARRAY_SIZE(alone));
	if (!given && option_was_given(context->words, "name"))
		given = "name";
	if (options->files.count > 0 && given)
		return err_set(err, ERR_USAGE, "--%s cannot be used with -f: the files say it", given);
	if (options->preflight && options->skip_preflight)
		return err_set(err, ERR_USAGE, "--preflight or --skip-preflight: one of them is wrong");
	if (options->tls && options->no_tls)
		return err_set(err, ERR_USAGE, "--tls or --no-tls: one of them is wrong");
	if (!options->authority_path != !options->authority_key_path)
		return err_set(err, ERR_USAGE, "--tls-ca-cert and --tls-ca-key are needed together");
	if (options->authority_path && (options->no_tls || options->rotate_authority))
		return err_set(err, ERR_USAGE, "--tls-ca-cert cannot be used with --%s",
		               options->no_tls ? "no-tls" : "rotate-ca, which makes an authority; use --rotate-certs");
	return check_alone(context, err);
}

/* ------------------------------------------------------------------------------------------- files */

static int read_text(const char *option, const char *path, bool secret, char **ret_text, struct err *err)
{
	struct buf text = { .max = INPUT_MAX, .secret = secret };

	if (file_read(path, &text, err) < 0) {
		buf_release(&text);
		return err_wrap(err, "--%s", option);
	}
	*ret_text = buf_detach(&text);
	return 0;
}

static int read_authority(const struct deploy_options *options, int64_t now_s, struct key_pair *ret, struct err *err)
{
	_cleanup_free_ char *certificate_name = xasprintf("--tls-ca-cert %s", options->authority_path);
	_cleanup_free_ char *key_name = xasprintf("--tls-ca-key %s", options->authority_key_path);
	_cleanup_free_ char *certificate = NULL;
	char *key = NULL;
	int status = read_text("tls-ca-cert", options->authority_path, false, &certificate, err);

	if (status == 0)
		status = read_text("tls-ca-key", options->authority_key_path, true, &key, err);
	if (status == 0)
		status = certificate_read_authority(certificate, certificate_name, key, key_name, now_s, ret, err);
	free_secret(key);
	return status;
}

static int read_extra(const char *path, cJSON **ret_extra, struct err *err)
{
	_cleanup_free_ char *text = NULL;

	if (read_text("set-config", path, false, &text, err) < 0)
		return -1;
	assert(text);
	if (json_parse(text, strlen(text), ret_extra, err) < 0)
		return err_wrap(err, "--set-config %s", path);
	return 0;
}

int deploy_inputs_read(const struct cmd_context *context, int64_t now_s, struct deploy_inputs *ret, struct err *err)
{
	const struct deploy_options *options = context->options;

	if (options->authority_path && read_authority(options, now_s, &ret->authority, err) < 0)
		return -1;
	if (options->key_in_use_path &&
	    read_text("tls-ca-key-in-use", options->key_in_use_path, true, &ret->key_in_use, err) < 0)
		return -1;
	return options->config_path ? read_extra(options->config_path, &ret->extra, err) : 0;
}

void deploy_inputs_release(struct deploy_inputs *inputs)
{
	key_pair_release(&inputs->authority);
	free_secret(inputs->key_in_use);
	cJSON_Delete(inputs->extra);
	*inputs = (struct deploy_inputs)DEPLOY_INPUTS_INIT;
}

void deploy_options_request(const struct cmd_context *context, const char *namespace_name,
                            const struct deploy_inputs *inputs, int64_t now_s, struct deploy_request *ret_request)
{
	const struct deploy_options *options = context->options;

	*ret_request = (struct deploy_request){
		.namespace_name = namespace_name,
		.name = context->global->name,
		.image = options->image,
		.datacenter = options->datacenter,
		.storage_size = options->storage_size,
		.storage_class = options->storage_class,
		.replicas = options->replicas,
		.extra = inputs->extra,
		.tls = options->tls      ? DEPLOY_YES
		       : options->no_tls ? DEPLOY_NO
		                         : DEPLOY_AS_IS,
		.acls = options->acls,
		.reset_acls = options->reset_acls,
		.authority = inputs->authority.certificate ? &inputs->authority : NULL,
		.cluster_domain = options->cluster_domain,
		.now_s = now_s,
	};
}
