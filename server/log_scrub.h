/* log_scrub.h: a layer between SQLite and the file: pages reach a database without remains of old
 * texts.
 *
 * SQLite's secure_delete overwrites what is deleted. But when it moves rows from one page to
 * another, what was in the first one stays there, in the gap between the list of its cells and the
 * cells, also after the row itself is deleted. It is rare (3 of 1,000 deleted texts in a random
 * test) and it is enough to break a promise. So the gap of each page is set to zero on its way to
 * the file. https://www.sqlite.org/fileformat2.html#b_tree_pages
 *
 * Must not know what the database is about. WAL files pass as they are: they are emptied.
 */
#ifndef LOG_SCRUB_H
#define LOG_SCRUB_H

/* The name of the layer over the VFS `base` (NULL: SQLite's default), made at first use; it stays
 * as long as the process. NULL: no such base, or no memory. For one thread. */
const char *log_scrub_over(const char *base);

/* What the system said when something last failed on this thread, in a file over any layer. */
int log_scrub_errno(void);

#endif
