/* What include/consul/manifest.h takes as settings: names, quantities, image references. */
#include "consul/manifest.h"

#include <inttypes.h>
#include <stdlib.h>

#include "consul/image_reference.h"

enum {
	LABEL_MAX = 63,      /* a DNS label */
	NAME_MAX_BYTES = 52, /* leaves room for "-gossip" and for a pod's "-NAME-HASH" in a label */
	SUBDOMAIN_MAX = 253,
	REPLICAS_WISE_MAX = 7,
	STORAGE_SMALLEST = 1 << 20, /* bytes; less is a forgotten unit */
};

static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char digits[] = "0123456789";

static bool is_one_of(char character, const char *set)
{
	return character && strchr(set, character);
}

static bool is_lower_or_digit(char character)
{
	return is_one_of(character, lower) || is_one_of(character, digits);
}

/* RFC 1123: lower case letters, digits and '-', not '-' first or last. */
static bool is_label(const char *text, size_t length)
{
	if (length == 0 || length > LABEL_MAX || !is_lower_or_digit(text[0]) || !is_lower_or_digit(text[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_lower_or_digit(text[i]) && text[i] != '-')
			return false;
	return true;
}

/* Labels joined by dots. */
static bool is_subdomain(const char *text)
{
	if (strlen(text) > SUBDOMAIN_MAX)
		return false;
	for (;;) {
		size_t length = strcspn(text, ".");

		if (!is_label(text, length))
			return false;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

/* As Consul takes it, but for upper case, which it would fold. */
static bool is_datacenter(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= LABEL_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

/* What a suffix of a Kubernetes quantity multiplies by; 0 when there is none such. */
static double quantity_factor(const char *suffix)
{
	static const struct {
		const char *suffix;
		double factor;
	} factors[] = { { "", 1 },        { "k", 1e3 },     { "M", 1e6 },     { "G", 1e9 },     { "T", 1e12 },
		        { "P", 1e15 },    { "E", 1e18 },    { "Ki", 0x1p10 }, { "Mi", 0x1p20 }, { "Gi", 0x1p30 },
		        { "Ti", 0x1p40 }, { "Pi", 0x1p50 }, { "Ei", 0x1p60 } };

	for (size_t i = 0; i < ARRAY_SIZE(factors); i++)
		if (str_equal(suffix, factors[i].suffix))
			return factors[i].factor;
	return 0;
}

/* Bytes of a quantity of storage, or -1 when it is none. (Exponents and milli-bytes are left to others.) */
static double quantity_bytes(const char *text)
{
	size_t whole = strspn(text, digits);
	size_t fraction = text[whole] == '.' ? strspn(text + whole + 1, digits) : 0;
	size_t length = text[whole] == '.' ? whole + 1 + fraction : whole;
	_cleanup_free_ char *number = NULL;
	double factor;

	if (whole + fraction == 0 || length > 20)
		return -1;
	factor = quantity_factor(text + length);
	if (factor <= 0)
		return -1;
	number = xstrndup(text, length);
	return strtod(number, NULL) * factor;
}

bool manifest_same_quantity(const char *a, const char *b)
{
	double left = quantity_bytes(a), right = quantity_bytes(b);

	return str_equal(a, b) || (left >= 0 && left >= right && left <= right);
}

static int bad(struct err *err, const char *option, const char *value, const char *what)
{
	_cleanup_free_ char *shown = str_visible(value, LABEL_MAX + 1);

	return err_set(err, ERR_USAGE, "invalid value \"%s\" for --%s: %s", shown, option, what);
}

static int check_names(const struct manifest_settings *settings, struct err *err)
{
	if (!is_label(settings->namespace_name, strlen(settings->namespace_name)))
		return bad(err, "namespace", settings->namespace_name,
		           "a namespace is lower case letters, digits and '-', and at most 63 of them");
	if (!is_label(settings->name, strlen(settings->name)) || !is_one_of(settings->name[0], lower) ||
	    strlen(settings->name) > NAME_MAX_BYTES)
		return bad(
		    err, "name", settings->name,
		    "it begins with a lower case letter, has letters, digits and '-' in it, and at most 52 of them");
	if (!is_datacenter(settings->datacenter))
		return bad(err, "datacenter", settings->datacenter,
		           "a datacenter is lower case letters, digits, '-' and '_', and at most 63 of them");
	return 0;
}

static int check_storage(const struct manifest_settings *settings, struct err *err)
{
	double bytes = quantity_bytes(settings->storage_size);

	if (bytes < 0)
		return bad(err, "storage-size", settings->storage_size, "a size is a number with a unit, such as 10Gi");
	if (bytes < STORAGE_SMALLEST)
		return bad(err, "storage-size", settings->storage_size,
		           "that is too little to keep Consul's data; units are Mi, Gi, Ti");
	if (!str_is_empty(settings->storage_class) && !is_subdomain(settings->storage_class))
		return bad(err, "storage-class", settings->storage_class,
		           "a class is lower case letters, digits, '-' and '.'");
	return 0;
}

int manifest_check(const struct manifest_settings *settings, struct err *err)
{
	struct err problem = ERR_INIT;

	if (check_names(settings, err) < 0)
		return -1;
	if (settings->replicas < 1 || settings->replicas > MANIFEST_REPLICAS_MAX)
		return err_set(err, ERR_USAGE,
		               "invalid value \"%" PRId64 "\" for --replicas: from 1 to %d servers, usually 3 or 5",
		               settings->replicas, MANIFEST_REPLICAS_MAX);
	if (image_reference_check(settings->image, &problem) < 0) {
		bad(err, "image", settings->image, problem.message);
		err_release(&problem);
		return -1;
	}
	return check_storage(settings, err);
}

void manifest_warn_replicas(int64_t replicas, struct strv *warnings)
{
	int64_t tolerated = (replicas - 1) / 2;

	if (replicas < 3)
		strv_addf(warnings,
		          "%" PRId64 " server%s tolerate%s no failure; 3 is the smallest number that tolerates one",
		          replicas, replicas == 1 ? "" : "s", replicas == 1 ? "s" : "");
	else if (replicas % 2 == 0)
		strv_addf(warnings,
		          "%" PRId64 " servers tolerate %" PRId64 " failure%s, as %" PRId64
		          " do; an even number only adds one that can fail",
		          replicas, tolerated, tolerated == 1 ? "" : "s", replicas - 1);
	if (replicas > REPLICAS_WISE_MAX)
		strv_addf(warnings,
		          "every write waits for a majority of %" PRId64 " servers; more than %d are seldom worth it",
		          replicas, (int)REPLICAS_WISE_MAX);
}
