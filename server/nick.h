/* nick.h: which nicknames there may be, and which nicknames are too alike.
 *
 * A nickname is 1 to 32 characters of UTF-8, kept in Unicode's normal form C whatever form it came
 * in: letters, digits, marks, punctuation and symbols (emoji among them) of any script, and single
 * spaces inside. Not in it:
 *
 * - what nobody sees or what moves other text: control, format, bidi and zero-width characters,
 *   fillers, blanks, tags, line separators. That takes in the zero-width joiner, so emoji made of
 *   several do not work, nor do the joiners that Persian and some Indian spellings want. The one
 *   exception is U+FE0F behind an emoji, which keyboards put there;
 * - private, unassigned (in the Unicode of this ICU) and replacement characters;
 * - white space but U+0020; that one not first, not last, not twice in a row;
 * - `:` anywhere, `/`, `@`, `#` and `*` at the start, and what normalises to these: commands and
 * the classic lobby's lines (`nick: text`, `* nick text`) would read it as their own;
 * - a combining mark with nothing to stand on, or more than four in a row;
 * - `guest-` and digits, or what looks like that: those names are the server's.
 *
 * Who looks the same is the same: two nicknames collide when their skeletons (UTS #39, section 4,
 * case folded) are equal bytes. nick.c tells how they are made and what that costs.
 *
 * Must not know: accounts, who has which nickname, files. No I/O. For one thread.
 */
#ifndef NICK_H
#define NICK_H

#define NICK_CHARACTERS_MAX 32
#define NICK_BYTES_MAX      128 /* without the NUL: 32 times 4 */
#define NICK_SIZE           (NICK_BYTES_MAX + 1)
/* No character comes to more than 30 bytes of skeleton (U+FDFA, a phrase; test_nick.c looks at all
 * of them), so that it always fits. */
#define NICK_SKELETON_MAX  1023
#define NICK_SKELETON_SIZE (NICK_SKELETON_MAX + 1)
#define NICK_MARKS_MAX     4 /* combining marks in a row */

/* Loads ICU's tables, once; nick_check does it if need be. Called at the start, it tells in time
 * that they are missing. LAZYCHAT_OK, LAZYCHAT_NO_MEMORY, or LAZYCHAT_UNSUPPORTED: ICU has no data.
 */
int nick_open(void);

/* Frees what nick_open loaded. ICU's own caches stay until the program ends. */
void nick_close(void);

/* Judges `text`, NUL-terminated. LAZYCHAT_OK: `out` has the nickname as it is to be kept and shown,
 * `skeleton` its key, both NUL-terminated; a nickname that was accepted is accepted again, and
 * unchanged. LAZYCHAT_INVALID: *why is one sentence, without a full stop, that says what is wrong
 * and what is allowed, valid for ever; out and skeleton are untouched. Else nick_open's errors,
 * with *why. `out` may be `text`. */
int nick_check(const char *text, char out[NICK_SIZE], char skeleton[NICK_SKELETON_SIZE],
               const char **why);

/* Which tables made the skeletons: "ICU 72.1, Unicode 15.0, rules 1". Another ICU may make others,
 * so who stores skeletons stores this beside them and makes them anew when it differs. Valid for
 * ever. */
const char *nick_version(void);

#endif
