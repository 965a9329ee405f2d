/* What Slurm's programs are given of this process's environment. */
#ifndef COORDINATOR_BATCH_SLURM_ENVIRONMENT_H
#define COORDINATOR_BATCH_SLURM_ENVIRONMENT_H

/* All but the variables by which a user shapes what squeue, scontrol and scancel print and take, and of those of sbatch
 * the ones that would overrule a line of the batch script: the account, where the script names none, is the user's to
 * set. script NULL: the answer is read, and comes in the C locale; else sbatch passes the environment on to the job, so
 * the locale stays. An array that ends with NULL, its texts borrowed; free it; NULL: no memory. */
char **slurm_environment(const char *script);

#endif
