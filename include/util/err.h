/*
 * util/err.h - the error object every fallible function ends in.
 *
 * A function that can fail takes `struct err *err` last and returns 0 or -1. The leaf says what went
 * wrong (err_set), callers put the object's name in front (err_wrap), and main prints it, once.
 * Every function here that reports a failure returns -1, so that `return err_set(err, …);` is the idiom.
 *
 * The err of a successful call is untouched. An err must be empty when it is set (asserted): whoever
 * wants to go on after a failure releases it or moves it away first. err must not be NULL.
 */
#ifndef UTIL_ERR_H
#define UTIL_ERR_H

#include <stdbool.h>

/* What a caller may want to tell apart. The exit code is derived from it (err_exit_code). */
enum err_kind {
	ERR_NONE,
	ERR_FAILED,       /* anything that nobody needs to tell apart */
	ERR_USAGE,        /* the command line is wrong */
	ERR_CONFIG,       /* kubeconfig, credentials or a file given by the user cannot be used */
	ERR_UNREACHABLE,  /* no connection: refused, DNS, TLS, proxy */
	ERR_UNAUTHORIZED, /* 401 */
	ERR_FORBIDDEN,    /* 403 */
	ERR_NOT_FOUND,    /* 404 */
	ERR_CONFLICT,     /* 409: changed meanwhile, exists already, or another field manager */
	ERR_INVALID,      /* 422, or an answer or file that does not mean what it should */
	ERR_UNAVAILABLE,  /* 429, 5xx: the other side cannot now */
	ERR_PROTOCOL,     /* the other side does not speak what was expected */
	ERR_TOO_LARGE,    /* a named limit was exceeded */
	ERR_TIMEOUT,      /* a deadline passed */
	ERR_REFUSED,      /* a safety rule says no */
	ERR_INTERRUPTED,  /* the user pressed Ctrl-C */
};

struct err {
	enum err_kind kind;
	char *label;   /* what stands before the first colon; NULL means "error", "" no label and no colon */
	char *message; /* one line, without a trailing newline */
	char *hint;    /* what to do next, or NULL */
};

#define ERR_INIT { 0 }

#define _cleanup_err_ __attribute__((cleanup(err_release)))

/* Fills an empty err. Returns -1. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...)
	__attribute__((nonnull, format(printf, 3, 4)));

/* Puts "FORMAT: " in front of the message. Returns -1. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((nonnull, format(printf, 2, 3)));

/* Says what to do next; an earlier hint (from nearer to the cause) is kept. Returns -1. */
int err_hint(struct err *err, const char *format, ...) __attribute__((nonnull, format(printf, 2, 3)));

/* Replaces the word before the first colon, e.g. "Error from server (NotFound)"; "" for none. Returns -1. */
int err_label(struct err *err, const char *format, ...) __attribute__((nonnull, format(printf, 2, 3)));

/* Moves from into an empty to; from is empty afterwards. Returns -1 if there was an error, else 0. */
int err_move(struct err *to, struct err *from) __attribute__((nonnull));

/* Copies from into an empty to. */
void err_copy(struct err *to, const struct err *from) __attribute__((nonnull));

/* The static analyser sees one file at a time: it is told what they return. */
#ifdef __clang_analyzer__
void err_change(struct err *err);
static inline int err_failed(struct err *err, ...)
{
	err_change(err);
	return -1;
}
#define err_set(...)   err_failed(__VA_ARGS__)
#define err_wrap(...)  err_failed(__VA_ARGS__)
#define err_hint(...)  err_failed(__VA_ARGS__)
#define err_label(...) err_failed(__VA_ARGS__)
#endif

static inline bool err_is_set(const struct err *err)
{
	return err->kind != ERR_NONE;
}

/* Nobody can tell whether it was done: no answer, none in time, or none that can be read. Trying again may help. */
bool err_leaves_open(const struct err *err) __attribute__((nonnull));

/* The process's exit code for it: 1, 4 refused, 124 timeout, 130 interrupted; 0 for none. */
int err_exit_code(const struct err *err) __attribute__((nonnull));

/* "LABEL: MESSAGE", or the message alone when the label is ""; a new string owned by the caller. */
char *err_text(const struct err *err) __attribute__((nonnull, warn_unused_result));

/* Empties it. Safe on an empty one. */
void err_release(struct err *err) __attribute__((nonnull));

#endif
