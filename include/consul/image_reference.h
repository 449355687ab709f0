/*
 * consul/image_reference.h - the syntax of a container image's name: [REGISTRY/]PATH[:TAG][@DIGEST]. Pure.
 *
 * Source: the distribution project's reference grammar; Kubernetes' kubelet refuses what does not fit it (InvalidImageName).
 * A first part in upper case is refused, though the newest grammar takes it for the name of a registry: nobody means that.
 */
#ifndef CONSUL_IMAGE_REFERENCE_H
#define CONSUL_IMAGE_REFERENCE_H

#include <stdbool.h>

#include "util/err.h"

/* ERR_INVALID: what is wrong with it, without the image's name in front: "there is nothing after the colon, …". */
int image_reference_check(const char *image, struct err *err) __attribute__((warn_unused_result));

/* Whether the name does not say which version runs: there is no digest, and no tag or only "latest". */
bool image_reference_floats(const char *image);

/* The tag, a new string; NULL: there is none. Of a reference that passed image_reference_check. */
char *image_reference_tag(const char *image) __attribute__((warn_unused_result));

#endif
