/*
 * A container as far as scripts see it: a directory with the files below /proc and a data directory, and the real sh in
 * it. What `kill` would do is written down, and happens to the files.
 *
 * The snapshot is that of reality.h (consul-0 to consul-2, namespace ns); every pod has this one container.
 */
#ifndef TEST_SHELL_SCENE_H
#define TEST_SHELL_SCENE_H

#include "reality.h"

#define SCENE_LONG_MS 20000

struct shell_scene {
	struct reality reality;
	char directory[64];
	char *data_dir;    /* directory/data */
	char *prologue;    /* what the script begins with: functions in the place of programs */
	const char *shell; /* path; NULL: /bin/sh */
	char *output;      /* of the last script, until the next */
	char *error_output;
	unsigned scripts;  /* that were run */
};

void shell_scene_start(struct shell_scene *scene);
void shell_scene_stop(struct shell_scene *scene);

/* Every exec from now on runs its script here. */
void shell_scene_run_scripts(struct shell_scene *scene);

/* A process below /proc; command is its words, ended by '|' each: "consul|agent|". group may be NULL. */
void shell_scene_process(struct shell_scene *scene, const char *pid, const char *name, const char *command,
                         const char *group);

/* Files below the scene's directory ("data/node-id"), and directories. */
void shell_scene_write(struct shell_scene *scene, const char *path, const char *text);
void shell_scene_mkdir(struct shell_scene *scene, const char *path);
bool shell_scene_has(const struct shell_scene *scene, const char *path);
char *shell_scene_read(const struct shell_scene *scene, const char *path); /* new string; "" when it is not there */

/* Shells of this machine, /bin/sh first; ends with NULL. */
extern const char *const shell_scene_shells[];

#endif
