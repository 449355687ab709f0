/* See record.h. */
#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "script.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

struct record {
	pthread_mutex_t *lock;
	pthread_cond_t changed;
	struct apiserver_request **requests;
	size_t count;
	size_t capacity;
	struct buf complaints;
};

struct record *record_new(pthread_mutex_t *lock)
{
	struct record *record = xcalloc(1, sizeof(*record));
	pthread_condattr_t attributes;

	record->lock = lock;
	record->complaints = (struct buf)BUF_TEXT;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&record->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return record;
}

void record_free(struct record *record)
{
	for (size_t i = 0; i < record->count; i++)
		apiserver_request_free(record->requests[i]);
	free(record->requests);
	buf_release(&record->complaints);
	pthread_cond_destroy(&record->changed);
	free(record);
}

void record_add(struct record *record, struct apiserver_request *request)
{
	if (record->count == record->capacity) {
		record->capacity = record->capacity * 2 + 64;
		record->requests = xreallocarray(record->requests, record->capacity, sizeof(*record->requests));
	}
	request->at_ms = clock_monotonic_ms();
	record->requests[record->count++] = request;
	pthread_cond_broadcast(&record->changed);
}

void record_complain(struct record *record, unsigned connection, const char *text)
{
	buf_addf(&record->complaints, "connection %u: %s\n", connection, text);
}

static bool matches(const struct apiserver_request *request, const char *method, const char *path)
{
	return (!method || str_equal(method, request->method)) && match_pattern(path, request->path);
}

static size_t count_matches(const struct record *record, const char *method, const char *path)
{
	size_t found = 0;

	for (size_t i = 0; i < record->count; i++)
		found += matches(record->requests[i], method, path);
	return found;
}

size_t record_total(struct record *record)
{
	size_t total;

	pthread_mutex_lock(record->lock);
	total = record->count;
	pthread_mutex_unlock(record->lock);
	return total;
}

const struct apiserver_request *record_at(struct record *record, size_t index)
{
	const struct apiserver_request *request;

	pthread_mutex_lock(record->lock);
	request = index < record->count ? record->requests[index] : NULL;
	pthread_mutex_unlock(record->lock);
	return request;
}

size_t record_count(struct record *record, const char *method, const char *path)
{
	size_t found;

	pthread_mutex_lock(record->lock);
	found = count_matches(record, method, path);
	pthread_mutex_unlock(record->lock);
	return found;
}

const struct apiserver_request *record_find(struct record *record, const char *method, const char *path, size_t n)
{
	const struct apiserver_request *found = NULL;

	pthread_mutex_lock(record->lock);
	for (size_t i = 0; i < record->count && !found; i++)
		if (matches(record->requests[i], method, path) && n-- == 0)
			found = record->requests[i];
	pthread_mutex_unlock(record->lock);
	return found;
}

bool record_wait(struct record *record, const char *method, const char *path, size_t count, int timeout_ms)
{
	int64_t until_ms = clock_monotonic_ms() + timeout_ms;
	struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };
	int status = 0;
	bool there;

	pthread_mutex_lock(record->lock);
	while (!(there = count_matches(record, method, path) >= count) && status != ETIMEDOUT)
		status = pthread_cond_timedwait(&record->changed, record->lock, &until);
	pthread_mutex_unlock(record->lock);
	return there;
}

char *record_complaints(struct record *record)
{
	char *text;

	pthread_mutex_lock(record->lock);
	text = xstrdup(buf_text(&record->complaints));
	pthread_mutex_unlock(record->lock);
	return text;
}
