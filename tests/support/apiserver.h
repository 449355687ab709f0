/*
 * apiserver.h - a scripted Kubernetes API server for tests: HTTP/1.1, TLS, pods/exec and pods/portforward.
 *
 * One background thread and one epoll loop serve any number of connections on 127.0.0.1. What it answers is a
 * script, C tables of rows: the first row that matches and is not used up answers. Everything it is asked is
 * recorded.
 *
 *     static const struct apiserver_route routes[] = {
 *         { .path = "/api/v1/namespaces/ns/pods", .times = 1,
 *           .answer = { .status = 429, .headers = "Retry-After: 0\r\n" } },
 *         { .path = "/api/v1/namespaces/ns/pods", .answer = { .body = "{\"items\":[]}" } },
 *         { .pod = "consul-*", .port = 8500, .path = "/v1/agent/self", .answer = { .body = "{}" } },
 *         { 0 },
 *     };
 *     static const struct apiserver_exec execs[] = {
 *         { .pod = "consul-0", .command = "consul members*", .answer = { .output = "Node …" } },
 *         { 0 },
 *     };
 *     struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes, .execs = execs });
 *     … talk to apiserver_url(server) …
 *     cr_assert_eq(apiserver_count(server, "GET", "/api*pods"), 2);
 *     apiserver_stop(server);
 *
 * Tables and what they point to are borrowed until apiserver_stop. A `*` in a pattern matches any run of
 * characters, none included. NULL as a pattern matches everything. A table ends with a row of zeros.
 *
 * Order: authentication (401), routes, then pods/exec and pods/portforward from their own tables, then 404. So a
 * refused upgrade is an ordinary route on …/pods/NAME/exec (upgrade_refusals has one for each kind there is).
 *
 * All functions may be called from the test's thread at any time; the pointers they give stay valid until
 * apiserver_stop. The facts about the protocol are those of Kubernetes' own sources:
 * apimachinery pkg/util/httpstream/wsstream, kubelet pkg/cri/streaming.
 */
#ifndef SUPPORT_APISERVER_H
#define SUPPORT_APISERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki.h"
#include "util/buf.h"

/* Longest delay of one answer: a test that wants more wants FAULT_SILENCE. */
#define APISERVER_DELAY_MAX_MS 60000

/* The body of a failed request, as the API server writes it. Arguments: 404, "NotFound", "pods \\\"p\\\" not found". */
#define STATUS_FAILURE(code, reason, message)                                                                          \
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"" message     \
	"\",\"reason\":\"" reason "\",\"code\":" #code "}"

/* ----------------------------------------------------------------------------------- HTTP answers */

/* How an HTTP answer goes wrong. Inside a tunnel "close" means that the pod's side closes: no more bytes come. */
enum http_fault {
	FAULT_NONE,
	FAULT_CLOSE,     /* sends fault_bytes bytes of the answer (0: none), then closes */
	FAULT_RESET,     /* the same, and resets the connection */
	FAULT_SILENCE,   /* sends fault_bytes bytes of the answer (0: none), then nothing; the connection stays open */
	FAULT_GARBAGE,   /* 64 bytes that are no HTTP, then closes */
	FAULT_HUGE_LINE, /* the answer begins with a header line of fault_bytes bytes */
	FAULT_NO_LENGTH, /* a body without Content-Length, ended by closing */
	FAULT_CHUNKED,   /* no fault: Transfer-Encoding: chunked, chunks of fault_bytes bytes (0: 1000) */
};

struct http_answer {
	int status;               /* 0: 200 */
	const char *headers;      /* further header lines, each ended by \r\n; NULL: none */
	const char *content_type; /* NULL: application/json */
	const char *body;         /* NULL: empty */
	size_t length;            /* of body; 0: up to its NUL */
	int delay_ms;             /* before the first byte; 0: the server's */
	enum http_fault fault;
	size_t fault_bytes;
	struct buf scratch; /* for answer functions: they may set max, fill it, and point body at it */
};

struct apiserver_request;

/* As status, by an answer function: the row does not match after all, the next one is tried. */
#define HTTP_PASS (-1)

/*
 * Fills answer (which has the row's values already). Runs in the server's thread with the server locked: it may not
 * call any function of this header but apiserver_request_*.
 */
typedef void http_answer_fn(void *context, const struct apiserver_request *request, struct http_answer *answer);

struct apiserver_route {
	const char *pod;    /* pattern: a request inside a tunnel to such a pod; NULL: one to the API server itself */
	uint16_t port;      /* inside a tunnel: to this port; 0: any */
	const char *method; /* NULL: any */
	const char *path;   /* pattern, without the query, as it was sent (escaped) */
	const char *query;  /* text that the query, as it was sent, must contain; NULL: any */
	struct http_answer answer;
	http_answer_fn *make; /* NULL: answer as it stands */
	void *context;
	unsigned times; /* how often the row may be used; 0: always */
};

/* -------------------------------------------------------------------------------------- pods/exec */

/* How a command in a container ends, seen from outside. */
enum exec_end {
	EXEC_EXIT,       /* channel 3: Success, or NonZeroExitCode with exit_code; then Close 1000 */
	EXEC_FAILURE,    /* channel 3: InternalError with text as its message; then Close 1000 */
	EXEC_STATUS,     /* channel 3: text, as it stands; then Close 1000 */
	EXEC_CLOSE,      /* no channel 3, Close 1000 */
	EXEC_DROP,       /* no channel 3, no Close: end of the TCP connection */
	EXEC_RESET,      /* the same, by a reset */
	EXEC_HANG,       /* never ends; the connection stays open */
	EXEC_HALF_FRAME, /* the first bytes of a frame on channel 1, then silence */
	EXEC_HUGE_FRAME, /* the header of a frame of 2^40 bytes, then zeros for as long as the client reads */
	EXEC_GARBAGE,    /* bytes that are no frame, then silence */
};

struct exec_answer {
	const char *output;       /* stdout; NULL: none */
	size_t output_length;     /* 0: up to its NUL */
	const char *error_output; /* stderr, text; NULL: none */
	int exit_code;
	enum exec_end end;
	const char *text;   /* see exec_end; NULL there is "" */
	int delay_ms;       /* from the upgrade (and the end of stdin) to the first output; 0: none */
	struct buf scratch; /* for answer functions, as in http_answer */
};

struct exec_request {
	const char *pod;
	const char *container;   /* "" when not given */
	const char *const *argv; /* NULL-terminated */
	const char *command;     /* argv joined by spaces */
	const char *input;       /* stdin so far, NUL-terminated */
	size_t input_length;
};

typedef void exec_answer_fn(void *context, const struct exec_request *request, struct exec_answer *answer);

struct apiserver_exec {
	const char *pod;       /* pattern; NULL ends the table, so "*" is any */
	const char *container; /* pattern; NULL: any, also none */
	const char *command;   /* pattern for argv joined by spaces; NULL: any */
	struct exec_answer answer;
	exec_answer_fn *make; /* NULL: answer as it stands; runs when stdin is complete */
	void *context;
	size_t input_bytes;      /* answers when that many bytes of stdin came … */
	const char *input_until; /* … or when stdin ends with this text (v5: or is closed), if there is one; 0 and NULL: at once */
	bool echo;               /* stdin comes back on stdout, before output */
	const char *protocol;    /* what the 101 says, whatever was asked for; "" leaves the header out */
	bool ping;               /* a ping before the output, and another between its frames */
	size_t frame_bytes;      /* most payload bytes of one frame; 0: 32 KiB */
	size_t write_bytes;      /* most bytes of one TCP write, from the upgrade on; 0: no limit */
	unsigned times;          /* how often the row may be used; 0: always */
};

/* ------------------------------------------------------------------------------- pods/portforward
 * A port that has a route is an HTTP server; another gets "connection refused" on its error channel, as the
 * kubelet writes it. Rows of this table change that.
 */
enum port_kind {
	PORT_HTTP,
	PORT_HTTPS,      /* TLS inside the tunnel; wants tls, tunnel_names or pki */
	PORT_ERROR,      /* text on the error channel, at once */
	PORT_ERROR_LATE, /* text on the error channel, when the first bytes come */
	PORT_SILENT,     /* opened, never answers */
	PORT_UNOPENED,   /* not even the port numbers come */
	PORT_GARBAGE,    /* answers 64 bytes that are no HTTP */
	PORT_HALF_FRAME, /* answers the first bytes of a frame, then silence */
	PORT_CLOSE,      /* Close 1000 when the first bytes come */
	PORT_DROP,       /* the TCP connection ends when the first bytes come */
};

struct apiserver_port {
	const char *pod; /* pattern; NULL ends the table */
	uint16_t port;   /* 0: any */
	enum port_kind kind;
	const char *text;   /* see port_kind */
	size_t frame_bytes; /* most payload bytes of one frame; 0: 32 KiB */
	size_t write_bytes; /* most bytes of one TCP write of the whole tunnel; 0: no limit */
	unsigned times;
	enum port_kind (*choose)(void *context, const char *pod, uint16_t port); /* NULL: kind. As http_answer_fn */
	void *context;
};

/* ----------------------------------------------------------------------------------------- server */

/* What it does with client certificates (TLS only). */
enum client_certificate {
	CLIENT_CERT_IGNORED,
	CLIENT_CERT_KUBERNETES, /* as Kubernetes: without a good one (or the token) the answer is 401 */
	CLIENT_CERT_REQUIRED,   /* as some proxies: the TLS handshake fails */
	CLIENT_CERT_NOTED,      /* asked for and recorded; whoever comes is let in */
};

struct apiserver_options {
	const struct apiserver_route *routes; /* NULL: none; likewise below */
	const struct apiserver_exec *execs;
	const struct apiserver_port *ports;
	int delay_ms;          /* before each answer: REST, upgrade, and HTTP inside a tunnel */
	const char *protocols; /* it knows these subprotocols; NULL: "v4.channel.k8s.io" */
	const char *token;     /* a Bearer token that is asked for; NULL: none */
	bool tls;
	enum pki_server certificate; /* 0: a good one */
	enum client_certificate client_certificate;
	enum pki_server tunnel_certificate; /* for PORT_HTTPS; 0: a good one */
	const char *tunnel_names; /* further SANs, separated by commas, e.g. "server.dc1.consul"; NULL: none */
	const struct pki *pki;    /* borrowed; NULL with tls or PORT_HTTPS: the server makes its own */
};

struct apiserver;

/* Listens and starts the thread; aborts with a message when the system does not let it. */
struct apiserver *apiserver_start(const struct apiserver_options *options);

/* Closes everything, waits for the thread, frees. NULL is fine. */
void apiserver_stop(struct apiserver *server);

const char *apiserver_url(const struct apiserver *server); /* "http://127.0.0.1:PORT" or "https://…" */
uint16_t apiserver_port(const struct apiserver *server);
const struct pki *apiserver_pki(const struct apiserver *server); /* NULL without TLS */

/* Further tables, while it runs; they are looked at before those it has. NULL: none of that kind. */
void apiserver_add(struct apiserver *server, const struct apiserver_route *routes, const struct apiserver_exec *execs,
                   const struct apiserver_port *ports);

/* Closes the listening socket: new connections are refused. */
void apiserver_refuse_connections(struct apiserver *server);

/* Between them no answer function runs: for scripts that change while the server runs. */
void apiserver_lock(struct apiserver *server);
void apiserver_unlock(struct apiserver *server);

/* --------------------------------------------------------------------------------------- recorded */

/* One request. Immutable. A command's stdin is recorded when it is answered, as method "STDIN" with pod and body. */
struct apiserver_request {
	char *method;
	char *path;    /* as sent, without the query */
	char *query;   /* as sent, "" when there is none */
	char *headers; /* the lines as sent */
	char *body;    /* NUL-terminated */
	size_t body_length;
	char *pod;           /* inside a tunnel, and of STDIN: the pod; else NULL */
	uint16_t port;       /* inside a tunnel: the port */
	unsigned connection; /* TCP connections count from 1 */
	char *certificate;   /* the common name in the client's certificate, good or not; NULL: it showed none */
	int64_t at_ms;       /* monotonic */
	int status;          /* what was answered; 0: nothing */
};

size_t apiserver_request_total(struct apiserver *server);
const struct apiserver_request *apiserver_request_at(struct apiserver *server, size_t index);

/* Number of requests with this method (NULL: any) and path pattern; those inside tunnels and STDIN count too. */
size_t apiserver_count(struct apiserver *server, const char *method, const char *path);

/* The n-th (from 0) of those, or NULL. */
const struct apiserver_request *apiserver_find(struct apiserver *server, const char *method, const char *path,
                                               size_t n);

/* Waits until there are count of them; false when timeout_ms passed first. */
bool apiserver_wait(struct apiserver *server, const char *method, const char *path, size_t count, int timeout_ms);

/* The value of a header line (name without regard to case) or of the n-th key in the query, decoded; new string or
 * NULL. */
char *apiserver_request_header(const struct apiserver_request *request, const char *name);
char *apiserver_request_query(const struct apiserver_request *request, const char *key, size_t n);

/* TCP connections accepted so far, and open now. */
unsigned apiserver_connections(struct apiserver *server);
unsigned apiserver_connections_open(struct apiserver *server);

/* What clients did that Kubernetes would not take (an unmasked or fragmented frame, no Host …): a new string, "" if
 * none. */
char *apiserver_complaints(struct apiserver *server);

/* ----------------------------------------------------------------------------------- refused upgrades
 * One row for each way an upgrade of exec to pod consul-0, container consul, namespace ns is refused (and most of
 * portforward too): what the API server, the kubelet or the runtime answers. Ends with a NULL name.
 */
struct upgrade_refusal {
	const char *name;
	struct http_answer answer;
	const char *message; /* what a person must be told */
};

extern const struct upgrade_refusal upgrade_refusals[];

#endif
