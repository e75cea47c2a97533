/* cut_vfs.h: a disk in memory for SQLite, of which the power can be cut at any write.
 *
 * As with a real disk, what was written and not synced may be there afterwards, or not, or only
 * some of its sectors. All files of the process that use it are on the same disk. Also fails on
 * demand.
 */
#ifndef CUT_VFS_H
#define CUT_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CUT_VFS_NAME "cut"

/* An empty disk, with power; nothing may have files open. `seed`: for what is lost. */
void cut_vfs_reset(uint64_t seed);

/* The power goes at the `count`th change from now on: a write, sync, truncation or removal. That
 * one and all later ones fail. 0: it does not. */
void cut_vfs_arm(long count);
bool cut_vfs_is_off(void);

/* After everything is closed: decides what became of what was not synced. */
void cut_vfs_power_on(void);

/* From now on writes and syncs fail with this errno; 0: they work again. */
void cut_vfs_fail(int number);

/* Changes so far. */
long cut_vfs_changes(void);

#endif
