/* Servers of an older revision are replaced, one after the other: see include/consul/plan_parts.h. */
#include "consul/plan_parts.h"

bool plan_rolls(struct planning *planning)
{
	return plan_distrusts(planning) || plan_is_moving(planning) || plan_is_unsettled(planning, NULL);
}
