#include "kube/frames.h"

#include <criterion/criterion.h>
#include <string.h>

#include "util/mem.h"

#define MESSAGE_MAX ((size_t)1000)
#define OUTPUT_MAX  ((size_t)4096)

/* What came: each message as "LENGTH:BYTES;". */
static void on_message(void *context, const unsigned char *data, size_t length)
{
	struct buf *got = context;

	buf_addf(got, "%zu:", length);
	cr_assert_eq(buf_add(got, data, length), 0);
	buf_addc(got, ';');
}

struct fixture {
	struct frames *frames;
	struct buf got;
	struct err err;
};

static void set_up(struct fixture *fixture)
{
	*fixture = (struct fixture){ .got = BUF_TEXT };
	fixture->frames = frames_new(MESSAGE_MAX, OUTPUT_MAX, on_message, &fixture->got);
}

static void tear_down(struct fixture *fixture)
{
	frames_free(fixture->frames);
	buf_release(&fixture->got);
	err_release(&fixture->err);
}

static int feed(struct fixture *fixture, const void *bytes, size_t length, size_t step)
{
	for (size_t at = 0; at < length; at += step) {
		size_t count = length - at < step ? length - at : step;
		_cleanup_free_ char *piece = xmalloc(count);

		memcpy(piece, (const char *)bytes + at, count);
		if (frames_feed(fixture->frames, piece, count, &fixture->err) < 0)
			return -1;
	}
	return 0;
}

/* Takes one frame off the output and unmasks it. */
static size_t take_frame(struct buf *output, unsigned *ret_opcode, unsigned char *ret_payload)
{
	const unsigned char *bytes = (const unsigned char *)output->data;
	size_t length, head = 2;

	cr_assert_geq(output->len, 6);
	*ret_opcode = bytes[0];
	cr_assert(bytes[1] & 0x80, "not masked");
	length = bytes[1] & 0x7f;
	if (length == 126) {
		length = (size_t)bytes[2] << 8 | bytes[3];
		head = 4;
	}
	cr_assert_geq(output->len, head + 4 + length);
	for (size_t i = 0; i < length; i++)
		ret_payload[i] = bytes[head + 4 + i] ^ bytes[head + i % 4];
	buf_consume(output, head + 4 + length);
	return length;
}

Test(frames, reads_messages_in_pieces_of_every_size)
{
	static const char bytes[] = "\x82\x01\x01"
	                            "\x82\x06\x01hello"
	                            "\x82\x00"
	                            "\x02\x02\x01x\x89\x02hi\x00\x01y\x80\x01z"
	                            "\x82\x7e\x00\x80";
	struct buf stream = BUF_TEXT;

	cr_assert_eq(buf_add(&stream, bytes, sizeof(bytes) - 1), 0);
	for (size_t i = 0; i < 128; i++)
		buf_addc(&stream, 'b');
	for (size_t step = 1; step <= stream.len; step++) {
		struct fixture fixture;
		_cleanup_buf_ struct buf output = BUF_INIT(OUTPUT_MAX);
		unsigned char payload[125];
		unsigned opcode;

		set_up(&fixture);
		cr_assert_eq(feed(&fixture, stream.data, stream.len, step), 0);
		cr_assert(strncmp(fixture.got.data, "1:\x01;6:\x01hello;0:;4:\x01xyz;128:bbb", 29) == 0, "%s",
		          fixture.got.data);
		frames_output_take(fixture.frames, &output);
		cr_assert_eq(take_frame(&output, &opcode, payload), 2);
		cr_assert_eq(opcode, 0x8a);
		cr_assert(memcmp(payload, "hi", 2) == 0);
		cr_assert_eq(output.len, 0);
		tear_down(&fixture);
	}
	buf_release(&stream);
}

Test(frames, sends_masked_and_whole)
{
	struct fixture fixture;
	_cleanup_buf_ struct buf output = BUF_INIT(OUTPUT_MAX);
	unsigned char payload[OUTPUT_MAX], big[1000];
	unsigned opcode;

	set_up(&fixture);
	memset(big, 'x', sizeof(big));
	cr_assert_eq(frames_send(fixture.frames, 0, "in", 2, &fixture.err), 0);
	cr_assert_eq(frames_send(fixture.frames, 2, NULL, 0, &fixture.err), 0);
	cr_assert_eq(frames_send(fixture.frames, 4, big, sizeof(big), &fixture.err), 0);
	cr_assert_gt(frames_output_length(fixture.frames), 1000);
	frames_output_take(fixture.frames, &output);
	cr_assert_eq(frames_output_length(fixture.frames), 0);
	cr_assert_eq(take_frame(&output, &opcode, payload), 3);
	cr_assert_eq(opcode, 0x82);
	cr_assert(memcmp(payload, "\0in", 3) == 0);
	cr_assert_eq(take_frame(&output, &opcode, payload), 1);
	cr_assert_eq(take_frame(&output, &opcode, payload), 1001);
	cr_assert(payload[0] == 4 && memcmp(payload + 1, big, sizeof(big)) == 0);
	cr_assert_eq(output.len, 0);
	tear_down(&fixture);
}

Test(frames, bounds_the_output)
{
	struct fixture fixture;
	unsigned char big[OUTPUT_MAX];
	_cleanup_buf_ struct buf output = BUF_INIT(OUTPUT_MAX);

	set_up(&fixture);
	memset(big, 0, sizeof(big));
	cr_assert_eq(frames_send(fixture.frames, 0, big, sizeof(big) / 2, &fixture.err), 0);
	cr_assert_eq(frames_send(fixture.frames, 0, big, sizeof(big) / 2, &fixture.err), -1);
	cr_assert_eq(fixture.err.kind, ERR_TOO_LARGE);
	err_release(&fixture.err);
	frames_output_take(fixture.frames, &output);
	cr_assert_eq(frames_send(fixture.frames, 0, big, sizeof(big) / 2, &fixture.err), 0);
	tear_down(&fixture);
}

Test(frames, closes_cleanly)
{
	static const char *const closes[] = { "\x88\x02\x03\xe8", "\x88\x00" };

	for (size_t i = 0; i < 2; i++) {
		struct fixture fixture;
		_cleanup_buf_ struct buf output = BUF_INIT(OUTPUT_MAX);
		unsigned char payload[125];
		unsigned opcode;

		set_up(&fixture);
		cr_assert_eq(feed(&fixture, closes[i], i ? 2 : 4, 1), 0);
		cr_assert(frames_closed(fixture.frames));
		cr_assert_eq(frames_end(fixture.frames, &fixture.err), 0);
		frames_output_take(fixture.frames, &output);
		take_frame(&output, &opcode, payload);
		cr_assert_eq(opcode, 0x88);
		cr_assert_eq(feed(&fixture, "garbage after it", 16, 3), 0);
		cr_assert_eq(frames_send(fixture.frames, 0, "x", 1, &fixture.err), -1);
		tear_down(&fixture);
	}
}

Test(frames, tells_another_close)
{
	struct fixture fixture;

	set_up(&fixture);
	cr_assert_eq(feed(&fixture,
	                  "\x88\x07\x03\xf3"
	                  "bad\x1b"
	                  "x",
	                  9, 2),
	             0);
	cr_assert_eq(frames_end(fixture.frames, &fixture.err), -1);
	cr_assert_eq(fixture.err.kind, ERR_FAILED);
	cr_assert(strstr(fixture.err.message, "1011: bad^[x"), "%s", fixture.err.message);
	tear_down(&fixture);
}

Test(frames, an_end_without_close_is_an_error)
{
	static const char bytes[] = "\x82\x05\x01"
	                            "abcd\x82\x05\x01"
	                            "ab";

	for (size_t length = 0; length < sizeof(bytes); length++) {
		struct fixture fixture;

		set_up(&fixture);
		cr_assert_eq(feed(&fixture, bytes, length, 1), 0);
		cr_assert_eq(frames_end(fixture.frames, &fixture.err), -1);
		cr_assert_eq(fixture.err.kind, ERR_PROTOCOL);
		tear_down(&fixture);
	}
}

static void expect_failure(const void *bytes, size_t length, enum err_kind kind)
{
	for (size_t step = 1; step <= length; step++) {
		struct fixture fixture;

		set_up(&fixture);
		cr_assert_eq(feed(&fixture, bytes, length, step), -1);
		cr_assert_eq(fixture.err.kind, kind, "%s", fixture.err.message);
		tear_down(&fixture);
	}
}

Test(frames, refuses_garbage)
{
	expect_failure("\x82\x81\x01\x02\x03\x04x", 7, ERR_PROTOCOL); /* masked */
	expect_failure("\xc2\x01x", 3, ERR_PROTOCOL);                 /* reserved bit */
	expect_failure("\x83\x01x", 3, ERR_PROTOCOL);                 /* unknown opcode */
	expect_failure("\x80\x01x", 3, ERR_PROTOCOL);                 /* continues nothing */
	expect_failure("\x02\x01x\x82\x01y", 6, ERR_PROTOCOL);        /* a new message inside one */
	expect_failure("\x89\x7e\x00\x80x", 5, ERR_PROTOCOL);         /* a long ping */
	expect_failure("\x09\x01x", 3, ERR_PROTOCOL);                 /* a fragmented ping */
	expect_failure("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10, ERR_PROTOCOL);
	expect_failure("\x88\x02\x03\xec", 4, ERR_PROTOCOL); /* code 1004 */
	expect_failure("\x81\x02ok", 4, ERR_PROTOCOL);       /* text */
	expect_failure("HTTP/1.1 400 Bad Request\r\n", 26, ERR_PROTOCOL);
}

Test(frames, bounds_messages)
{
	_cleanup_buf_ struct buf pieces = BUF_TEXT;
	struct fixture fixture;

	expect_failure("\x82\x7e\x03\xe9x", 5, ERR_TOO_LARGE); /* 1001 bytes */
	expect_failure("\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00x", 11, ERR_TOO_LARGE);
	expect_failure("\x02\x01x\x80\x7e\x03\xe8y", 8, ERR_TOO_LARGE);
	cr_assert_eq(buf_add(&pieces, "\x02\x00", 2), 0);
	for (size_t i = 0; i < FRAMES_FRAGMENTS_MAX; i++)
		cr_assert_eq(buf_add(&pieces, "\x00\x00", 2), 0);
	set_up(&fixture);
	cr_assert_eq(feed(&fixture, pieces.data, pieces.len, 100), -1);
	cr_assert_eq(fixture.err.kind, ERR_TOO_LARGE);
	tear_down(&fixture);
}

Test(frames, bounds_the_answers_to_pings)
{
	struct fixture fixture;
	int status = 0;

	set_up(&fixture);
	for (size_t i = 0; i < OUTPUT_MAX && status == 0; i++)
		status = feed(&fixture, "\x89\x00", 2, 2);
	cr_assert_eq(status, -1);
	cr_assert_eq(fixture.err.kind, ERR_TOO_LARGE);
	tear_down(&fixture);
}
