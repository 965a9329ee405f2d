/* The summary as CSV files to go on with: every configuration's statistics, every seed's values, every training. */
#ifndef ANALYSIS_REPORT_SUMMARY_CSV_H
#define ANALYSIS_REPORT_SUMMARY_CSV_H

#include "analysis/results/summary.h"

/* Writes into DIR, which exists. STATUS_IO.
 *
 * summary.csv: a row for every configuration, kind (examples, rounds), metric and index: seeds, undefined, mean,
 * median, standard deviation, interquartile mean, minimum, maximum, the 95 % t interval; at the summary's number of
 * examples (the last round) and for 5 seeds or more also the bootstrap-t interval. seeds.csv: every seed's values at
 * the summary's number of examples, to compare pair by pair. trainings.csv: how every training ended. */
Status summary_write_csv(const Summary *summary, const char *dir, Error *err);

#endif
