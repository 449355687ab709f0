/*
 * Replays corpora through a fuzz target, so that the ordinary tests cover them without clang's runtime:
 * replay-X DIRECTORY. Prints how many inputs it ran; a crash is the failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *directory, const char *name)
{
	char path[4096];
	struct stat info;
	uint8_t *data;
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (stat(path, &info) < 0 || !S_ISREG(info.st_mode) || !(file = fopen(path, "rb")))
		return 0;
	data = malloc((size_t)info.st_size + 1);
	if (!data)
		abort();
	size = fread(data, 1, (size_t)info.st_size, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	const struct dirent *entry;
	int count = 0;
	DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;

	if (!directory) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(directory)))
		count += replay_file(argv[1], entry->d_name);
	closedir(directory);
	printf("%d inputs replayed\n", count);
	return count > 0 ? 0 : 1;
}
