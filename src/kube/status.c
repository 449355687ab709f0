/* See include/kube/status.h. */
#include "kube/status.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* What an error shows of the server's words. */
#define MESSAGE_SHOWN ((size_t)4096)
#define CAUSE_SHOWN   ((size_t)500)
#define CAUSES_SHOWN  50
#define WORD_SHOWN    ((size_t)100)
#define BODY_SHOWN    ((size_t)200)
/* How far into a body that is no Status we look for words. */
#define BODY_READ ((size_t)64 * 1024)

/* ---------------------------------------------------------------------------------------- by status
 * The words of apimachinery's NewGenericServerResponse, for bodies that are no Status.
 */
struct meaning {
	long http_status;
	enum err_kind kind;
	const char *reason; /* as a Status would have it */
	const char *message;
};

static const struct meaning meanings[] = {
	{ 400, ERR_FAILED, "BadRequest", "the server rejected our request for an unknown reason" },
	{ 401, ERR_UNAUTHORIZED, "Unauthorized", "the server has asked for the client to provide credentials" },
	{ 403, ERR_FORBIDDEN, "Forbidden", "the server refused the request" },
	{ 404, ERR_NOT_FOUND, "NotFound", "the server could not find the requested resource" },
	{ 405, ERR_FAILED, "MethodNotAllowed", "the server does not allow this method on the requested resource" },
	{ 406, ERR_PROTOCOL, "NotAcceptable",
	  "the server was unable to respond with a content type that the client supports" },
	{ 408, ERR_UNAVAILABLE, "Timeout", "the server gave up waiting for the request" },
	{ 409, ERR_CONFLICT, "Conflict", "the server reported a conflict" },
	{ 410, ERR_FAILED, "Gone", "the requested version of the resource is no longer available" },
	{ 413, ERR_TOO_LARGE, "RequestEntityTooLarge", "the request is too large for the server" },
	{ 415, ERR_PROTOCOL, "UnsupportedMediaType",
	  "the server was unable to process the content type of the request" },
	{ 422, ERR_INVALID, "Invalid", "the server rejected our request due to an error in our request" },
	{ 429, ERR_UNAVAILABLE, "TooManyRequests",
	  "the server has received too many requests and has asked us to try again later" },
	{ 503, ERR_UNAVAILABLE, "ServiceUnavailable", "the server is currently unable to handle the request" },
	{ 504, ERR_UNAVAILABLE, "Timeout",
	  "the server was unable to return a response in the time allotted, but may still be processing the request" },
};

static const struct meaning *meaning_of(long http_status)
{
	static const struct meaning failed = { 0, ERR_FAILED, NULL, NULL };
	static const struct meaning unavailable = { 0, ERR_UNAVAILABLE, NULL, NULL };
	static const struct meaning protocol = { 0, ERR_PROTOCOL, NULL, NULL };

	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].http_status == http_status)
			return &meanings[i];
	if (http_status >= 500 && http_status <= 599)
		return &unavailable;
	return http_status >= 400 && http_status <= 499 ? &failed : &protocol;
}

/* ------------------------------------------------------------------------------------ foreign words */

/* On one line: runs of white space become one space, the rest is made visible. */
static char *one_line(const char *text, size_t max_bytes)
{
	struct buf line = BUF_TEXT;
	char *shown;

	/* Enough for max_bytes of visible text, however much of it is white space. */
	for (; *text && line.len <= 2 * max_bytes; text++) {
		if (!strchr(" \t\r\n", *text))
			buf_addc(&line, *text);
		else if (line.len > 0 && line.data[line.len - 1] != ' ')
			buf_addc(&line, ' ');
	}
	while (line.len > 0 && line.data[line.len - 1] == ' ')
		line.data[--line.len] = '\0';
	shown = str_visible(buf_text(&line), max_bytes);
	buf_release(&line);
	return shown;
}

/* The text between <title> and </title>, or NULL. A new string. */
static char *html_title(const char *html)
{
	const char *start = strcasestr(html, "<title"), *end;

	start = start ? strchr(start, '>') : NULL;
	end = start ? strcasestr(start, "</title") : NULL;
	return end ? xstrndup(start + 1, (size_t)(end - start - 1)) : NULL;
}

static bool is_html(const char *text)
{
	text += strspn(text, " \t\r\n");
	return strncasecmp(text, "<!doctype", 9) == 0 || strncasecmp(text, "<html", 5) == 0 ||
	       strcasestr(text, "<title");
}

/* HTML without its tags. A new string. */
static char *html_words(const char *html)
{
	struct buf words = BUF_TEXT;
	bool inside = false;

	for (; *html && words.len < 2 * BODY_SHOWN; html++) {
		if (*html == '<')
			inside = true;
		if (!inside)
			buf_addc(&words, *html);
		if (*html == '>') {
			inside = false;
			buf_addc(&words, ' ');
		}
	}
	return buf_detach(&words);
}

/* What a body that is no Status says, short and on one line; "" when it says nothing. A new string. */
static char *body_words(const char *body, size_t length)
{
	_cleanup_free_ char *text = length ? xstrndup(body, length < BODY_READ ? length : BODY_READ) : xstrdup("");
	_cleanup_free_ char *words = NULL;

	if (is_html(text)) {
		words = html_title(text);
		if (!words)
			words = html_words(text);
	}
	return one_line(words ? words : text, BODY_SHOWN);
}

/* ------------------------------------------------------------------------------------------- hints */

/* A word of a message that may go into a command to paste: nothing a shell would see. */
static char *safe_word(const char *text, size_t length)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-/";

	if (length == 0 || length > WORD_SHOWN || strspn(text, safe) < length || *text == '-')
		return NULL;
	return xstrndup(text, length);
}

/* The word in quotes after mark, if it is safe. A new string or NULL. */
static char *quoted_after(const char *message, const char *mark)
{
	const char *start = strstr(message, mark);

	if (!start)
		return NULL;
	start += strlen(mark);
	return safe_word(start, strcspn(start, "\""));
}

/* 'User "U" cannot VERB resource "R" in API group "G" in the namespace "NS"': which permission is missing. */
static int hint_forbidden(const char *message, struct err *err)
{
	const char *cannot = strstr(message, " cannot ");
	_cleanup_free_ char *verb = cannot ? safe_word(cannot + 8, strcspn(cannot + 8, " ")) : NULL;
	_cleanup_free_ char *resource = quoted_after(message, "resource \"");
	_cleanup_free_ char *group = quoted_after(message, "API group \"");
	_cleanup_free_ char *name_space = quoted_after(message, "in the namespace \"");
	_cleanup_free_ char *plain = NULL;
	const char *slash;

	if (!verb || !resource)
		return -1;
	slash = strchr(resource, '/');
	plain = xstrndup(resource, slash ? (size_t)(slash - resource) : strlen(resource));
	return err_hint(err, "a Role must allow \"%s\" on \"%s\"%s%s%s; check: kubectl auth can-i %s %s%s%s%s%s%s%s",
	                verb, resource, group ? " of API group \"" : "", group ? group : "", group ? "\"" : "", verb,
	                plain, group ? "." : "", group ? group : "", slash ? " --subresource=" : "",
	                slash ? slash + 1 : "", name_space ? " -n " : "", name_space ? name_space : "");
}

static int hint(long http_status, const cJSON *status, const char *message, struct err *err)
{
	int64_t seconds = json_int_at(status, "details.retryAfterSeconds", 0);

	if (http_status == 401)
		return err_hint(
		    err, "the server does not accept the credentials of the kubeconfig's user (expired?): log in "
		         "again; see: kubectl config view --minify");
	if (http_status == 403 && message)
		return hint_forbidden(message, err);
	if (err->kind == ERR_UNAVAILABLE && seconds > 0)
		return err_hint(err, "the server asks to try again in %lld s", (long long)seconds);
	return -1;
}

/* -------------------------------------------------------------------------------------- kinds of answer */

/* A 422 with causes: 'The KIND "NAME" is invalid: FIELD: MESSAGE', several as "[…, …]". False without causes. */
static bool set_invalid(const cJSON *status, struct err *err)
{
	const cJSON *causes = json_at(status, "details.causes"), *cause;
	const char *kind = json_string_at(status, "details.kind"), *name = json_string_at(status, "details.name");
	_cleanup_free_ char *shown_kind = str_visible(kind ? kind : "", WORD_SHOWN);
	_cleanup_free_ char *shown_name = str_visible(name ? name : "", WORD_SHOWN);
	_cleanup_strv_ struct strv lines = STRV_INIT;
	_cleanup_free_ char *joined = NULL;

	if (!cJSON_IsArray(causes))
		return false;
	cJSON_ArrayForEach (cause, causes) {
		const char *field = json_string_at(cause, "field"), *message = json_string_at(cause, "message");
		_cleanup_free_ char *text =
		    xasprintf("%s%s%s", field ? field : "", field ? ": " : "", message ? message : "");
		_cleanup_free_ char *line = one_line(text, CAUSE_SHOWN);

		if (*line && lines.count < CAUSES_SHOWN && !strv_contains(&lines, line))
			strv_add(&lines, line);
	}
	if (lines.count == 0)
		return false;
	joined = strv_join(&lines, ", ", ", ");
	err_set(err, ERR_INVALID, lines.count > 1 ? "[%s]" : "%s", joined);
	if (*shown_kind || *shown_name)
		err_label(err, "The %s \"%s\" is invalid", shown_kind, shown_name);
	else
		err_label(err, "The request is invalid");
	return true;
}

static int set_status(long http_status, const cJSON *status, struct err *err)
{
	const struct meaning *meaning = meaning_of(http_status);
	const char *reason = json_string_at(status, "reason"), *message = json_string_at(status, "message");
	_cleanup_free_ char *shown_reason = NULL, *shown = NULL;

	if (str_is_empty(message))
		message = meaning->message ? meaning->message : "unknown";
	if (http_status == 422 && set_invalid(status, err))
		return -1;
	shown = one_line(message, MESSAGE_SHOWN);
	err_set(err, meaning->kind, "%s", shown);
	if (str_is_empty(reason))
		return err_label(err, "Error from server");
	shown_reason = str_visible(reason, WORD_SHOWN);
	return err_label(err, "Error from server (%s)", shown_reason);
}

static int set_generic(long http_status, const char *body, size_t length, struct err *err)
{
	const struct meaning *meaning = meaning_of(http_status);
	_cleanup_free_ char *words = body_words(body, length);

	if (!meaning->message && meaning->kind == ERR_UNAVAILABLE) {
		err_set(err, meaning->kind, "an error on the server (\"%s\") has prevented the request from succeeding",
		        *words ? words : "unknown");
		return err_label(err, "Error from server (InternalError)");
	}
	if (!meaning->message)
		err_set(err, meaning->kind, "the server answered with HTTP status %ld%s%s%s", http_status,
		        *words ? " (\"" : "", words, *words ? "\")" : "");
	else if (!*words || str_equal(words, "404 page not found"))
		err_set(err, meaning->kind, "%s", meaning->message);
	else
		err_set(err, meaning->kind, "%s (\"%s\")", meaning->message, words);
	if (!meaning->reason)
		return err_label(err, "Error from server");
	return err_label(err, "Error from server (%s)", meaning->reason);
}

/* The body as a Status, or NULL. Only the kind is looked at: what it lacks is made up for. */
static cJSON *parse_status(const char *body, size_t length)
{
	_cleanup_err_ struct err ignored = ERR_INIT;
	cJSON *json = NULL;

	if (length == 0 || json_parse(body, length, &json, &ignored) < 0)
		return NULL;
	if (str_equal(json_string_at(json, "kind"), "Status"))
		return json;
	cJSON_Delete(json);
	return NULL;
}

int kube_status_error(long http_status, const char *body, size_t length, struct err *err)
{
	_cleanup_json_ cJSON *status = parse_status(body ? body : "", body ? length : 0);

	if (http_status == 401) {
		err_set(err, ERR_UNAUTHORIZED, "You must be logged in to the server (Unauthorized)");
		return hint(http_status, NULL, NULL, err);
	}
	if (status)
		set_status(http_status, status, err);
	else
		set_generic(http_status, body, body ? length : 0, err);
	hint(http_status, status, err->message, err);
	return -1;
}
