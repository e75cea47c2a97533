/* log_rows.c: one statement for the message, one more if there are reactions to it. */
#include "log_rows.h"

#include <string.h>

enum { KEY, AT, ACCOUNT, KIND, FLAGS, TARGET, CHANGED, NICK, ID, TEXT };

static int
add_reactions(struct log_rows *rows, int64_t key, struct log_row *row)
{
    struct log_reaction *all = NULL;
    size_t count = 0, size = 0;
    bool failed = false;
    sqlite3_stmt *found;
    int error = log_db_query(rows->db, rows->reactions, &found, "ii", key, rows->account);

    for (; error == SQLITE_ROW && !failed; error = sqlite3_step(found)) {
        if (count == size) {
            struct log_reaction *more;

            size = size == 0 ? 4 : size * 2;
            more = log_request_take(rows->request, size * sizeof(*more));
            if (more == NULL) {
                failed = true;
                break;
            }
            if (count > 0)
                memcpy(more, all, count * sizeof(*more));
            all = more;
        }
        all[count++] = (struct log_reaction){
            .emoji = log_request_copy(rows->request, (const char *)sqlite3_column_text(found, 0),
                                      &failed),
            .count = sqlite3_column_int64(found, 1),
            .mine = sqlite3_column_int(found, 2) != 0,
        };
    }
    if (found != NULL)
        sqlite3_reset(found);
    row->reactions = all;
    row->reaction_count = count;
    return failed ? SQLITE_NOMEM : error == SQLITE_DONE ? SQLITE_OK : error;
}

/* Room for one more row; the array doubles, but not beyond the limit. */
static bool
grow(struct log_rows *rows)
{
    struct log_request *request = rows->request;
    struct log_row *more;

    if (request->row_count < rows->size)
        return true;
    rows->size = rows->size == 0 ? 16 : rows->size * 2;
    if (rows->size > rows->limit && request->row_count < rows->limit)
        rows->size = rows->limit;
    more = log_request_take(request, rows->size * sizeof(*more));
    if (more == NULL)
        return false;
    if (request->row_count > 0)
        memcpy(more, request->rows, request->row_count * sizeof(*more));
    request->rows = more;
    return true;
}

int
log_rows_add(struct log_rows *rows, sqlite3_stmt *from)
{
    struct log_request *request = rows->request;
    int64_t key = sqlite3_column_int64(from, KEY);
    int flags = sqlite3_column_int(from, FLAGS);
    bool failed = false;
    struct log_row *row;

    if (!grow(rows))
        return SQLITE_NOMEM;
    row = &request->rows[request->row_count];
    *row = (struct log_row){
        .seq = log_row_seq(key),
        .at = sqlite3_column_int64(from, AT),
        .account = sqlite3_column_int64(from, ACCOUNT),
        .kind = (enum log_kind)sqlite3_column_int(from, KIND),
        .nick = log_request_copy(request, (const char *)sqlite3_column_text(from, NICK), &failed),
        .id = log_request_copy(request, (const char *)sqlite3_column_text(from, ID), &failed),
        .text = log_request_copy(request, (const char *)sqlite3_column_text(from, TEXT), &failed),
        .reply = sqlite3_column_int64(from, TARGET),
        .changed = sqlite3_column_int64(from, CHANGED),
        .edited = (flags & LOG_IS_EDITED) != 0,
        .classic = (flags & LOG_IS_CLASSIC) != 0,
        .verified = (flags & LOG_IS_VERIFIED) != 0,
    };
    if (failed)
        return SQLITE_NOMEM;
    rows->bytes += (size_t)sqlite3_column_bytes(from, TEXT);
    request->row_count++;
    return (flags & LOG_HAS_REACTIONS) != 0 ? add_reactions(rows, key, row) : SQLITE_OK;
}
