/* classic.h: the classic lobby's wire format, between bytes and texts.
 *
 * SCTP port 2013 has no protocol: what one sends, all get as the same bytes. This says what the log
 * and the lobby make of such bytes, and how what was said in the lobby looks there. Pure; no I/O.
 */
#ifndef CLASSIC_H
#define CLASSIC_H

#include "log.h"
#include "message.h"

#include <stddef.h>
#include <stdint.h>

#define CLASSIC_PORT 2013

/* Bytes that go to the classic lobby once the log has their texts; go along with log_append, freed
 * by free(). */
struct classic_bytes {
    size_t length; /* 0: nothing, another text of the same bytes brings them */
    uint8_t bytes[];
};

/* NULL: no memory. */
struct classic_bytes *classic_bytes(const void *bytes, size_t length);

/* Makes text of the beginning of a peer's bytes: at most MESSAGE_TEXT_MAX bytes, without the line
 * end at the end; control characters and bytes that are no UTF-8 become visible (`\x1b`). Returns
 * how many of the `length` bytes it took, at least 1. */
size_t classic_text(const uint8_t *bytes, size_t length, char text[MESSAGE_TEXT_MAX + 1]);

/* The lines that a logged entry is in the classic lobby, from byte *offset of its text on, as many
 * as fit; *offset moves on. Returns how many bytes, 0 when there are no more (or it is nothing to
 * show there). `size` is at least CLASSIC_LINE_MAX. */
#define CLASSIC_LINE_MAX (4 * MESSAGE_TEXT_MAX + 256)
size_t classic_lines(const struct log_entry *entry, size_t *offset, char *out, size_t size);

#endif
