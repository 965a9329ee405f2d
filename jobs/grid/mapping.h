/* How a mapping of a job file is read: its keys are settings of the table, nested or dotted, and a few words beside
 * them; each is looked up, allowed once, and handed on with its value. The file itself, each entry of zip and exclude
 * and each claim are such mappings. They differ in the words beside the table's and in what is done with a value. */
#ifndef JOBS_GRID_MAPPING_H
#define JOBS_GRID_MAPPING_H

#include "jobs/grid/grid.h"
#include "jobs/yaml/yaml_reader.h"

enum { WORDS_MAX = 16 };

/* A known key: an axis of the grid, or AXES_MAX + its number among Walk.words. */
typedef int Slot;

typedef struct Reader {
    const Source *source;
    Grid *grid;
} Reader;

/* One mapping being read. */
typedef struct Walk Walk;
struct Walk {
    const char *const *words; /* keys besides the table's; ends with NULL */
    bool words_only;          /* the table's are not allowed */
    Status (*take)(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err);
    void *context;                     /* of take */
    Place given[AXES_MAX + WORDS_MAX]; /* where each slot was given */
};

/* Reads all of a mapping that stands in a section ("": at the top). */
Status mapping_read(Reader *reader, Walk *walk, const YamlNode *mapping, const char *section, Error *err);

typedef Status (*ReadEntry)(Reader *reader, void *context, int64_t entry, const YamlNode *mapping, Error *err);
/* Calls read for each mapping of a list; there must be one, and none may be empty. key: for messages. */
Status mapping_read_list(Reader *reader, const YamlNode *list, const char *key, ReadEntry read, void *context,
                         Error *err);

/* The slot of a whole key ("model.n_layer"), or -1. */
Slot mapping_slot(const Reader *reader, const Walk *walk, const char *key);
/* Whether known keys lie in a section: "model", "evaluate", "evaluate.critic", "seeds". */
bool mapping_is_section(const Reader *reader, const Walk *walk, const char *key);

/* Reads one value of a setting. */
Status mapping_read_value(const Reader *reader, const Setting *setting, const YamlNode *node, SettingValue *value,
                          Error *err);

/* Errors at a place: a node is not of the kind expected; a key (whole: its section included) is not known, with the
 * nearest that is; a key was given before. */
Status mapping_wrong_kind(const Reader *reader, const YamlNode *node, const char *key, const char *expected,
                          Error *err);
Status mapping_unknown_key(const Reader *reader, const Walk *walk, Place place, const char *section, const char *key,
                           Error *err);
Status mapping_given_twice(const Reader *reader, Place place, Place before, const char *key, Error *err);

#endif
