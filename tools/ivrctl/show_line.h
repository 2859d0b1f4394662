/* A record of a topic as one line: for people, or as JSON. */
#ifndef IVR_TOOLS_SHOW_LINE_H
#define IVR_TOOLS_SHOW_LINE_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "tools/ivrctl/ivrctl.h"
#include "tools/ivrctl/topic_reader.h"

/* Appends the line with its end. A value that does not parse is shown as text. */
void show_event_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record);
void show_record_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record);
void show_audit_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record);
void show_summary_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record);
void show_dead_letter_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record);

#endif
