/* log_scrub.c: a VFS that passes everything on, but for the pages of databases; remembers why a
 * write failed. */
#include "log_scrub.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MIN  512
#define PAGE_MAX  65536
#define FILE_HEAD 100 /* before the head of page 1 */
/* From this page on, a page that is none of a b-tree may begin like one (its first four bytes are
 * the number of another page). Such files are 137 GB. */
#define PAGES_MAX 0x02000000

struct layer {
    sqlite3_vfs vfs;
    sqlite3_vfs *base;
    char name[64];
    struct layer *next;
};

/* An open file; the base's own follows it. */
struct layer_file {
    sqlite3_file file;
    sqlite3_file *real;
    sqlite3_vfs *base;
    sqlite3_io_methods methods; /* of the same version as the real one's */
    unsigned char *page;        /* PAGE_MAX bytes; NULL: it is no database */
};

static struct layer *layers;
static _Thread_local int last_errno;

/* ---- Pages ---- */

static size_t
number(const unsigned char *bytes)
{
    return (size_t)(bytes[0] << 8 | bytes[1]);
}

static void
scrub(unsigned char *page, size_t size, bool is_first)
{
    unsigned char *head = page + (is_first ? FILE_HEAD : 0);
    size_t cells, gap, end;

    if (head[0] == 0x02 || head[0] == 0x05) /* has a right-most pointer */
        gap = 12;
    else if (head[0] == 0x0a || head[0] == 0x0d)
        gap = 8;
    else
        return;
    cells = number(head + 3);
    end = number(head + 5);
    if (end == 0)
        end = 65536;
    gap += (size_t)(head - page) + 2 * cells;
    if (gap < end && end <= size)
        memset(page + gap, 0, end - gap);
}

static bool
is_page(int amount, sqlite3_int64 offset)
{
    return amount >= PAGE_MIN && amount <= PAGE_MAX && (amount & (amount - 1)) == 0 &&
           offset % amount == 0 && offset / amount < PAGES_MAX;
}

/* ---- An open file ---- */

static sqlite3_file *
real_file(sqlite3_file *file)
{
    return ((struct layer_file *)(void *)file)->real;
}

/* SQLite's own sqlite3_system_errno does not have it after a commit. */
static int
noted(sqlite3_file *file, int error)
{
    struct layer_file *mine = (struct layer_file *)(void *)file;

    if (error != SQLITE_OK && error != SQLITE_IOERR_SHORT_READ)
        last_errno = mine->base->xGetLastError(mine->base, 0, NULL);
    return error;
}

static int
file_close(sqlite3_file *file)
{
    struct layer_file *mine = (struct layer_file *)(void *)file;

    free(mine->page);
    mine->page = NULL;
    return mine->real->pMethods->xClose(mine->real);
}

static int
file_read(sqlite3_file *file, void *to, int amount, sqlite3_int64 offset)
{
    return noted(file, real_file(file)->pMethods->xRead(real_file(file), to, amount, offset));
}

static int
file_write(sqlite3_file *file, const void *from, int amount, sqlite3_int64 offset)
{
    struct layer_file *mine = (struct layer_file *)(void *)file;

    if (mine->page != NULL && is_page(amount, offset)) {
        memcpy(mine->page, from, (size_t)amount);
        scrub(mine->page, (size_t)amount, offset == 0);
        from = mine->page;
    }
    return noted(file, mine->real->pMethods->xWrite(mine->real, from, amount, offset));
}

static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return noted(file, real_file(file)->pMethods->xTruncate(real_file(file), size));
}

static int
file_sync(sqlite3_file *file, int flags)
{
    return noted(file, real_file(file)->pMethods->xSync(real_file(file), flags));
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_file(file)->pMethods->xFileSize(real_file(file), size);
}

static int
file_lock(sqlite3_file *file, int level)
{
    return real_file(file)->pMethods->xLock(real_file(file), level);
}

static int
file_unlock(sqlite3_file *file, int level)
{
    return real_file(file)->pMethods->xUnlock(real_file(file), level);
}

static int
file_check_reserved(sqlite3_file *file, int *result)
{
    return real_file(file)->pMethods->xCheckReservedLock(real_file(file), result);
}

static int
file_control(sqlite3_file *file, int operation, void *argument)
{
    return real_file(file)->pMethods->xFileControl(real_file(file), operation, argument);
}

static int
file_sector_size(sqlite3_file *file)
{
    return real_file(file)->pMethods->xSectorSize(real_file(file));
}

static int
file_characteristics(sqlite3_file *file)
{
    return real_file(file)->pMethods->xDeviceCharacteristics(real_file(file));
}

static int
file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **memory)
{
    return noted(file,
                 real_file(file)->pMethods->xShmMap(real_file(file), page, size, extend, memory));
}

static int
file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_file(file)->pMethods->xShmLock(real_file(file), offset, count, flags);
}

static void
file_shm_barrier(sqlite3_file *file)
{
    real_file(file)->pMethods->xShmBarrier(real_file(file));
}

static int
file_shm_unmap(sqlite3_file *file, int remove)
{
    return real_file(file)->pMethods->xShmUnmap(real_file(file), remove);
}

static int
file_fetch(sqlite3_file *file, sqlite3_int64 offset, int amount, void **memory)
{
    return real_file(file)->pMethods->xFetch(real_file(file), offset, amount, memory);
}

static int
file_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *memory)
{
    return real_file(file)->pMethods->xUnfetch(real_file(file), offset, memory);
}

static const sqlite3_io_methods all_methods = {
    .iVersion = 3,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
    .xFetch = file_fetch,
    .xUnfetch = file_unfetch,
};

/* ---- The layer ---- */

static sqlite3_vfs *
base_of(sqlite3_vfs *vfs)
{
    return ((struct layer *)vfs->pAppData)->base;
}

static int
layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *result)
{
    struct layer_file *mine = (struct layer_file *)(void *)file;
    sqlite3_vfs *base = base_of(vfs);
    int error;

    memset(mine, 0, sizeof(*mine));
    mine->base = base;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0 && (mine->page = malloc(PAGE_MAX)) == NULL)
        return SQLITE_NOMEM;
    mine->real = (sqlite3_file *)(void *)(mine + 1);
    error = noted(file, base->xOpen(base, name, mine->real, flags, result));
    if (mine->real->pMethods != NULL) { /* then it will be closed, error or not */
        mine->methods = all_methods;
        if (mine->real->pMethods->iVersion < mine->methods.iVersion)
            mine->methods.iVersion = mine->real->pMethods->iVersion;
        mine->file.pMethods = &mine->methods;
    } else {
        free(mine->page);
        mine->page = NULL;
    }
    return error;
}

static int
layer_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    return base_of(vfs)->xDelete(base_of(vfs), name, sync);
}

static int
layer_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    return base_of(vfs)->xAccess(base_of(vfs), name, flags, result);
}

static int
layer_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    return base_of(vfs)->xFullPathname(base_of(vfs), name, size, out);
}

static int
layer_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    return base_of(vfs)->xRandomness(base_of(vfs), size, out);
}

static int
layer_sleep(sqlite3_vfs *vfs, int microseconds)
{
    return base_of(vfs)->xSleep(base_of(vfs), microseconds);
}

static int
layer_time(sqlite3_vfs *vfs, double *now)
{
    return base_of(vfs)->xCurrentTime(base_of(vfs), now);
}

static int
layer_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    return base_of(vfs)->xGetLastError(base_of(vfs), size, out);
}

static int
layer_time64(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
    return base_of(vfs)->xCurrentTimeInt64(base_of(vfs), now);
}

static const char *
make_layer(sqlite3_vfs *base)
{
    struct layer *layer = calloc(1, sizeof(*layer));

    if (layer == NULL)
        return NULL;
    snprintf(layer->name, sizeof(layer->name), "scrub-%s", base->zName);
    layer->base = base;
    layer->vfs = (sqlite3_vfs){
        .iVersion = base->iVersion < 2 ? base->iVersion : 2,
        .szOsFile = (int)sizeof(struct layer_file) + base->szOsFile,
        .mxPathname = base->mxPathname,
        .zName = layer->name,
        .pAppData = layer,
        .xOpen = layer_open,
        .xDelete = layer_delete,
        .xAccess = layer_access,
        .xFullPathname = layer_full_path,
        .xRandomness = layer_randomness,
        .xSleep = layer_sleep,
        .xCurrentTime = layer_time,
        .xGetLastError = layer_last_error,
        .xCurrentTimeInt64 = layer_time64,
    };
    if (sqlite3_vfs_register(&layer->vfs, 0) != SQLITE_OK) {
        free(layer);
        return NULL;
    }
    layer->next = layers;
    layers = layer;
    return layer->name;
}

const char *
log_scrub_over(const char *name)
{
    sqlite3_vfs *base = sqlite3_vfs_find(name);

    if (base == NULL)
        return NULL;
    for (const struct layer *layer = layers; layer != NULL; layer = layer->next)
        if (layer->base == base)
            return layer->name;
    return make_layer(base);
}

int
log_scrub_errno(void)
{
    return last_errno;
}
