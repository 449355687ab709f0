/* "Did you mean this?" See include/cmd/cmd.h. */
#include "cmd/cmd.h"

#include "util/mem.h"
#include "util/str.h"

#define DISTANCE_MAX    2
#define SUGGESTIONS_MAX 3
#define WORD_MAX        64 /* longer words are not compared */

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static bool same_letter(char a, char b)
{
	char pair[2][2] = { { a, '\0' }, { b, '\0' } };

	return str_equal_nocase(pair[0], pair[1]);
}

/* Letters to insert, remove, replace or swap with their neighbour to make one word the other. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *two_above = rows[0], *above = rows[1], *row = rows[2], *spare;
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > WORD_MAX || b_length > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_length; j++)
		two_above[j] = above[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t change = same_letter(a[i - 1], b[j - 1]) ? 0 : 1;

			row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + change);
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]) &&
			    two_above[j - 2] + 1 < row[j])
				row[j] = two_above[j - 2] + 1;
		}
		spare = two_above;
		two_above = above;
		above = row;
		row = spare;
	}
	return above[b_length];
}

/* How far word is from candidate; the beginning of it counts as near. */
static size_t likeness(const char *word, const char *candidate)
{
	if (*word && str_starts_with(candidate, word))
		return 1;
	return edit_distance(word, candidate);
}

void cmd_suggest(const char *word, const char *const *candidates, struct strv *list)
{
	size_t before = list->count;

	for (size_t distance = 0; distance <= DISTANCE_MAX && distance < strlen(word); distance++) {
		for (size_t i = 0; candidates[i] && list->count - before < SUGGESTIONS_MAX; i++)
			if (likeness(word, candidates[i]) == distance)
				strv_add(list, candidates[i]);
		if (list->count > before)
			return; /* what is less alike would only distract */
	}
}

int cmd_unknown(struct err *err, const char *message, const struct strv *suggestions)
{
	_cleanup_free_ char *list = NULL;

	err_set(err, ERR_USAGE, "%s", message);
	if (suggestions->count == 0)
		return -1;
	list = strv_join(suggestions, "\n\t", "\n\t");
	return err_hint(err, "\nDid you mean this?\n\t%s\n", list);
}
