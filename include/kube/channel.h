/*
 * kube/channel.h - what the messages of pods/exec mean (v4.channel.k8s.io, v5.channel.k8s.io). Pure.
 *
 * Byte 0 of a message is the channel: 1 stdout, 2 stderr, 3 how the command ended (a Status as JSON, once, the last).
 * Empty messages mean nothing. A stream that ends without channel 3 tells nothing about the command: an error.
 *
 * Source: apimachinery pkg/util/remotecommand, client-go tools/remotecommand/v4.go.
 */
#ifndef KUBE_CHANNEL_H
#define KUBE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

enum channel_number {
	CHANNEL_STDIN = 0,
	CHANNEL_STDOUT = 1,
	CHANNEL_STDERR = 2,
	CHANNEL_END = 3,
	CHANNEL_CLOSE = 255, /* v5: a stream is closed */
};

enum channel_kind {
	CHANNEL_NOTHING, /* an empty message, or one that does not matter */
	CHANNEL_OUTPUT,  /* data is stdout */
	CHANNEL_ERROR,   /* data is stderr */
	CHANNEL_EXIT,    /* the command ended with exit_code */
};

struct channel_event {
	enum channel_kind kind;
	const unsigned char *data; /* borrowed from the message */
	size_t length;
	int exit_code;
};

/*
 * Decodes one message. ERR_PROTOCOL for a channel or Status that cannot be; the Status's own message (ERR_FAILED) when
 * the command was not run to its end: no such program, container gone, …
 */
int channel_decode(const unsigned char *message, size_t length, struct channel_event *ret_event, struct err *err)
    __attribute__((warn_unused_result));

#endif
