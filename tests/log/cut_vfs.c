/* cut_vfs.c: each file twice, as programs see it and as it would be without power, and the changes
 * between the two. One lock for everything: it is a test. */
#include "cut_vfs.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR    512
#define REGIONS   64
#define FILES_MAX 16

struct bytes {
    unsigned char *at;
    size_t size, room;
};

/* What was not synced. */
struct change {
    struct change *next;
    size_t offset, length;
    bool is_truncation; /* to `offset` */
    unsigned char data[];
};

struct disk_file {
    char name[512];           /* empty: none */
    bool is_there, was_there; /* for programs; without power */
    struct bytes now, synced;
    struct change *changes, **changes_end;
    int shared; /* locks of the file */
    const void *reserved, *pending, *exclusive;
    void *regions[REGIONS]; /* shared memory, gone with the process */
    int shm_shared[SQLITE_SHM_NLOCK];
    bool shm_exclusive[SQLITE_SHM_NLOCK];
};

struct handle {
    sqlite3_file base;
    struct disk_file *file;
    int lock;
    bool shm_shared[SQLITE_SHM_NLOCK], shm_exclusive[SQLITE_SHM_NLOCK];
};

static struct disk_file files[FILES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t seed;
static long changes, cut_at;
static bool is_off;
static int failing;

static uint32_t
random_number(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33);
}

/* ---- Bytes ---- */

static void
resize(struct bytes *bytes, size_t size)
{
    if (size > bytes->room) {
        bytes->room = size * 2;
        bytes->at = realloc(bytes->at, bytes->room);
        assert(bytes->at != NULL);
    }
    if (size > bytes->size)
        memset(bytes->at + bytes->size, 0, size - bytes->size);
    bytes->size = size;
}

static void
put(struct bytes *bytes, size_t offset, const void *data, size_t length)
{
    if (offset + length > bytes->size)
        resize(bytes, offset + length);
    memcpy(bytes->at + offset, data, length);
}

static void
copy(struct bytes *to, const struct bytes *from)
{
    resize(to, 0);
    if (from->size > 0)
        put(to, 0, from->at, from->size);
}

static void
forget_changes(struct disk_file *file)
{
    while (file->changes != NULL) {
        struct change *change = file->changes;

        file->changes = change->next;
        free(change);
    }
    file->changes_end = &file->changes;
}

static void
note(struct disk_file *file, size_t offset, const void *data, size_t length, bool is_truncation)
{
    struct change *change = malloc(sizeof(*change) + length);

    assert(change != NULL);
    *change = (struct change){.offset = offset, .length = length, .is_truncation = is_truncation};
    if (length > 0)
        memcpy(change->data, data, length);
    *file->changes_end = change;
    file->changes_end = &change->next;
}

/* ---- Power ---- */

/* May this change still happen? The caller holds the lock. */
static bool
may_change(void)
{
    changes++;
    if (cut_at != 0 && changes >= cut_at)
        is_off = true;
    return !is_off && failing == 0;
}

/* 0: nothing of what was not synced is kept, 1: some sectors, 2: all. */
static void
settle(struct disk_file *file, int how)
{
    for (const struct change *change = file->changes; change != NULL && how > 0;
         change = change->next) {
        if (change->is_truncation) {
            if (how == 2 || random_number() % 2 == 0)
                resize(&file->synced, change->offset);
            continue;
        }
        for (size_t done = 0, length; done < change->length; done += length) {
            length = SECTOR - (change->offset + done) % SECTOR;
            if (length > change->length - done)
                length = change->length - done;
            if (how == 2 || random_number() % 2 == 0)
                put(&file->synced, change->offset + done, change->data + done, length);
        }
    }
    forget_changes(file);
    if (how == 2 || (how == 1 && random_number() % 2 == 0))
        file->was_there = file->is_there;
    file->is_there = file->was_there;
    if (!file->is_there)
        resize(&file->synced, 0);
    copy(&file->now, &file->synced);
}

static void
forget_process(struct disk_file *file)
{
    for (int i = 0; i < REGIONS; i++) {
        free(file->regions[i]);
        file->regions[i] = NULL;
    }
    file->shared = 0;
    file->reserved = file->pending = file->exclusive = NULL;
    memset(file->shm_shared, 0, sizeof(file->shm_shared));
    memset(file->shm_exclusive, 0, sizeof(file->shm_exclusive));
}

void
cut_vfs_power_on(void)
{
    int how = (int)(random_number() % 3);

    for (struct disk_file *file = files; file < files + FILES_MAX; file++)
        if (file->name[0] != '\0') {
            forget_process(file);
            settle(file, how);
        }
    is_off = false;
    cut_at = 0;
}

void
cut_vfs_arm(long count)
{
    pthread_mutex_lock(&lock);
    cut_at = count == 0 ? 0 : changes + count;
    pthread_mutex_unlock(&lock);
}

bool
cut_vfs_is_off(void)
{
    bool off;

    pthread_mutex_lock(&lock);
    off = is_off;
    pthread_mutex_unlock(&lock);
    return off;
}

void
cut_vfs_fail(int number)
{
    pthread_mutex_lock(&lock);
    failing = number;
    pthread_mutex_unlock(&lock);
}

long
cut_vfs_changes(void)
{
    long count;

    pthread_mutex_lock(&lock);
    count = changes;
    pthread_mutex_unlock(&lock);
    return count;
}

/* ---- A file ---- */

static struct handle *
handle_of(sqlite3_file *file)
{
    return (struct handle *)(void *)file;
}

static int
file_unlock(sqlite3_file *base, int level)
{
    struct handle *handle = handle_of(base);
    struct disk_file *file = handle->file;

    pthread_mutex_lock(&lock);
    if (level < SQLITE_LOCK_RESERVED) {
        if (file->reserved == handle)
            file->reserved = NULL;
        if (file->pending == handle)
            file->pending = NULL;
        if (file->exclusive == handle)
            file->exclusive = NULL;
    }
    if (level == SQLITE_LOCK_NONE && handle->lock >= SQLITE_LOCK_SHARED && file->shared > 0)
        file->shared--;
    if (handle->lock > level)
        handle->lock = level;
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int
try_lock(struct handle *handle, int level)
{
    struct disk_file *file = handle->file;

    if (level == SQLITE_LOCK_SHARED) {
        if (file->pending != NULL || file->exclusive != NULL)
            return SQLITE_BUSY;
        file->shared++;
    } else if (level == SQLITE_LOCK_RESERVED) {
        if (file->reserved != NULL && file->reserved != handle)
            return SQLITE_BUSY;
        file->reserved = handle;
    } else {
        if ((file->pending != NULL && file->pending != handle) ||
            (file->reserved != NULL && file->reserved != handle))
            return SQLITE_BUSY;
        file->pending = handle;
        if (file->shared > 1)
            return SQLITE_BUSY;
        file->exclusive = handle;
    }
    handle->lock = level;
    return SQLITE_OK;
}

static int
file_lock(sqlite3_file *base, int level)
{
    struct handle *handle = handle_of(base);
    int error = SQLITE_OK;

    pthread_mutex_lock(&lock);
    if (handle->lock < level)
        error = try_lock(handle, level);
    pthread_mutex_unlock(&lock);
    return error;
}

static int
file_check_reserved(sqlite3_file *base, int *result)
{
    pthread_mutex_lock(&lock);
    *result = handle_of(base)->file->reserved != NULL;
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int
file_close(sqlite3_file *base)
{
    return file_unlock(base, SQLITE_LOCK_NONE);
}

static int
file_read(sqlite3_file *base, void *to, int amount, sqlite3_int64 offset)
{
    const struct bytes *bytes = &handle_of(base)->file->now;
    size_t wanted = (size_t)amount, at = (size_t)offset, there;

    pthread_mutex_lock(&lock);
    there = at >= bytes->size ? 0 : bytes->size - at;
    if (there > wanted)
        there = wanted;
    if (there > 0)
        memcpy(to, bytes->at + at, there);
    pthread_mutex_unlock(&lock);
    memset((char *)to + there, 0, wanted - there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int
file_write(sqlite3_file *base, const void *from, int amount, sqlite3_int64 offset)
{
    struct disk_file *file = handle_of(base)->file;
    int error = SQLITE_IOERR_WRITE;

    pthread_mutex_lock(&lock);
    if (may_change()) {
        put(&file->now, (size_t)offset, from, (size_t)amount);
        note(file, (size_t)offset, from, (size_t)amount, false);
        error = SQLITE_OK;
    }
    pthread_mutex_unlock(&lock);
    return error;
}

static int
file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct disk_file *file = handle_of(base)->file;
    int error = SQLITE_IOERR_TRUNCATE;

    pthread_mutex_lock(&lock);
    if (may_change()) {
        resize(&file->now, (size_t)size);
        note(file, (size_t)size, NULL, 0, true);
        error = SQLITE_OK;
    }
    pthread_mutex_unlock(&lock);
    return error;
}

static int
file_sync(sqlite3_file *base, int flags)
{
    struct disk_file *file = handle_of(base)->file;
    int error = SQLITE_IOERR_FSYNC;

    (void)flags;
    pthread_mutex_lock(&lock);
    if (may_change()) {
        copy(&file->synced, &file->now);
        file->was_there = file->is_there; /* SQLite syncs the directory of a new file, too */
        forget_changes(file);
        error = SQLITE_OK;
    }
    pthread_mutex_unlock(&lock);
    return error;
}

static int
file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    pthread_mutex_lock(&lock);
    *size = (sqlite3_int64)handle_of(base)->file->now.size;
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int
file_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base, (void)operation, (void)argument;
    return SQLITE_NOTFOUND;
}

static int
file_sector_size(sqlite3_file *base)
{
    (void)base;
    return SECTOR;
}

static int
file_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- Shared memory ---- */

static int
shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **memory)
{
    struct disk_file *file = handle_of(base)->file;

    assert(region < REGIONS);
    pthread_mutex_lock(&lock);
    if (file->regions[region] == NULL && extend != 0)
        file->regions[region] = calloc(1, (size_t)size);
    *memory = file->regions[region];
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static void
shm_release(struct handle *handle, int i)
{
    if (handle->shm_shared[i])
        handle->file->shm_shared[i]--;
    if (handle->shm_exclusive[i])
        handle->file->shm_exclusive[i] = false;
    handle->shm_shared[i] = handle->shm_exclusive[i] = false;
}

static bool
shm_is_free(const struct handle *handle, int i, bool for_exclusive)
{
    const struct disk_file *file = handle->file;

    if (file->shm_exclusive[i] && !handle->shm_exclusive[i])
        return false;
    return !for_exclusive || file->shm_shared[i] == (handle->shm_shared[i] ? 1 : 0);
}

static int
shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    struct handle *handle = handle_of(base);
    bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    int error = SQLITE_OK;

    pthread_mutex_lock(&lock);
    for (int i = offset; i < offset + count; i++)
        if ((flags & SQLITE_SHM_LOCK) != 0 && !shm_is_free(handle, i, exclusive))
            error = SQLITE_BUSY;
    for (int i = offset; i < offset + count && error == SQLITE_OK; i++) {
        shm_release(handle, i);
        if ((flags & SQLITE_SHM_LOCK) == 0)
            continue;
        if (exclusive)
            handle->file->shm_exclusive[i] = handle->shm_exclusive[i] = true;
        else {
            handle->file->shm_shared[i]++;
            handle->shm_shared[i] = true;
        }
    }
    pthread_mutex_unlock(&lock);
    return error;
}

static void
shm_barrier(sqlite3_file *base)
{
    (void)base;
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}

static int
shm_unmap(sqlite3_file *base, int remove)
{
    struct handle *handle = handle_of(base);

    (void)remove; /* the memory stays until the power is on again */
    pthread_mutex_lock(&lock);
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
        shm_release(handle, i);
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
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
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- The disk ---- */

static struct disk_file *
find(const char *name)
{
    struct disk_file *none = NULL;

    for (struct disk_file *file = files; file < files + FILES_MAX; file++) {
        if (strcmp(file->name, name) == 0)
            return file;
        if (file->name[0] == '\0' && none == NULL)
            none = file;
    }
    assert(none != NULL);
    snprintf(none->name, sizeof(none->name), "%s", name);
    none->changes_end = &none->changes;
    return none;
}

static int
disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *result)
{
    struct handle *handle = handle_of(base);
    int error = SQLITE_OK;

    (void)vfs;
    memset(handle, 0, sizeof(*handle));
    if (name == NULL)
        return SQLITE_CANTOPEN; /* a temporary file: there should be none */
    pthread_mutex_lock(&lock);
    handle->file = find(name);
    if (!handle->file->is_there && (flags & SQLITE_OPEN_CREATE) == 0)
        error = SQLITE_CANTOPEN;
    else if (!handle->file->is_there && !may_change())
        error = SQLITE_CANTOPEN;
    else
        handle->file->is_there = true;
    pthread_mutex_unlock(&lock);
    if (error != SQLITE_OK)
        return error;
    base->pMethods = &methods;
    if (result != NULL)
        *result = flags;
    return SQLITE_OK;
}

static int
disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct disk_file *file;
    int error = SQLITE_IOERR_DELETE;

    (void)vfs;
    pthread_mutex_lock(&lock);
    file = find(name);
    if (!file->is_there) {
        error = SQLITE_IOERR_DELETE_NOENT;
    } else if (may_change()) {
        file->is_there = false;
        resize(&file->now, 0);
        note(file, 0, NULL, 0, true);
        if (sync != 0) {
            file->was_there = false;
            resize(&file->synced, 0);
            forget_changes(file);
        }
        error = SQLITE_OK;
    }
    pthread_mutex_unlock(&lock);
    return error;
}

static int
disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    const struct disk_file *file;

    (void)vfs;
    pthread_mutex_lock(&lock);
    file = find(name);
    *result = file->is_there && (flags != SQLITE_ACCESS_EXISTS || file->now.size > 0);
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int
disk_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int
disk_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs, (void)size, (void)out;
    return failing != 0 ? failing : EIO;
}

static void
register_disk(void)
{
    static sqlite3_vfs vfs;
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);

    if (vfs.zName != NULL)
        return;
    vfs = *real; /* time and randomness are the real ones */
    vfs.iVersion = 2;
    vfs.zName = CUT_VFS_NAME;
    vfs.szOsFile = (int)sizeof(struct handle);
    vfs.pNext = NULL;
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    vfs.xAccess = disk_access;
    vfs.xFullPathname = disk_full_path;
    vfs.xGetLastError = disk_last_error;
    sqlite3_vfs_register(&vfs, 0);
}

void
cut_vfs_reset(uint64_t new_seed)
{
    register_disk();
    for (struct disk_file *file = files; file < files + FILES_MAX; file++) {
        forget_process(file);
        if (file->name[0] != '\0')
            forget_changes(file);
        free(file->now.at);
        free(file->synced.at);
        memset(file, 0, sizeof(*file));
    }
    seed = new_seed;
    changes = cut_at = 0;
    is_off = false;
    failing = 0;
}
