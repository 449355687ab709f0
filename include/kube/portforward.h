/*
 * kube/portforward.h - what the messages of pods/portforward mean (v4.channel.k8s.io). Pure.
 *
 * One WebSocket carries several connections to one port of the pod, here called lanes: the port is named once for each
 * in the request's query. Lane i has channel 2i for its data and 2i+1 for the text that says why it failed. The
 * stream of each channel begins with the port number, two bytes, little-endian.
 *
 * Source: kubernetes pkg/kubelet/cri/streaming/portforward/websocket.go.
 */
#ifndef KUBE_PORTFORWARD_H
#define KUBE_PORTFORWARD_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define PORTFORWARD_LANES_MAX 8

struct portforward {
	uint16_t port;
	size_t lanes;
	unsigned char prefix[2 * PORTFORWARD_LANES_MAX]; /* bytes of the port number got so far, of each channel */
};

enum portforward_kind {
	PORTFORWARD_NOTHING, /* an empty message, or the port number */
	PORTFORWARD_DATA,
	PORTFORWARD_ERROR, /* data is a text: the connection in the pod failed */
};

struct portforward_event {
	enum portforward_kind kind;
	size_t lane;
	const unsigned char *data; /* borrowed from the message */
	size_t length;
};

/* 1 to PORTFORWARD_LANES_MAX lanes (asserted). */
void portforward_init(struct portforward *forward, uint16_t port, size_t lanes);

/* Decodes one message. ERR_PROTOCOL for a channel or port that was not asked for. */
int portforward_decode(struct portforward *forward, const unsigned char *message, size_t length,
                       struct portforward_event *ret_event, struct err *err) __attribute__((warn_unused_result));

/* The channel that lane's data is sent on. */
unsigned char portforward_channel(size_t lane);

#endif
