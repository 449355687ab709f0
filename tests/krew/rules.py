"""What krew asks of a plugin, and what it does with one.

The rules are those of krew 0.4: its structural validation of a manifest, its unpacking of an archive, and the layout
that it installs to; then those of its documentation for indexes, which people check; then ours. Each failure has the
name of its rule, so that a test can tell that a rule works.
"""
import fnmatch
import hashlib
import os
import posixpath
import re
import shutil
import tarfile
import tempfile
from urllib.parse import urlparse

import yaml

API_VERSION = "krew.googlecontainertools.github.com/v1alpha2"
SHORT_DESCRIPTION_MAX = 50
DESCRIPTION_LINE_MAX = 80
LICENCES = re.compile(r"^(LICENSE|LICENCE|COPYING)(\.(md|txt))?$")
NAME = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
SEMVER = re.compile(r"^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$")
SHA256 = re.compile(r"^[a-f0-9]{64}$")
EXAMPLE = re.compile(r"^\s*(\$ |#|kubectl[ -]|usage\b|examples?\b)", re.IGNORECASE | re.MULTILINE)
SYSTEMS, MACHINES = ("linux", "darwin", "windows"), ("386", "amd64", "arm", "arm64")
PLATFORMS = [(system, machine) for system in SYSTEMS for machine in MACHINES]
ELF_MACHINES = {"amd64": 62, "arm64": 183}

FIELDS = {
    "": {"apiVersion", "kind", "metadata", "spec"},
    "metadata": {"name"},
    "spec": {"version", "homepage", "shortDescription", "description", "caveats", "platforms"},
    "platform": {"selector", "uri", "sha256", "files", "bin", "license"},
    "files": {"from", "to"},
    "selector": {"matchLabels", "matchExpressions"},
}


class Broken(Exception):
    """A rule that does not hold: its name, and what was seen."""

    def __init__(self, rule, text):
        super().__init__(f"{rule}: {text}")
        self.rule = rule


def need(holds, rule, text):
    if not holds:
        raise Broken(rule, text)


def mapping(value, kind, rule):
    """The value is a map without fields that krew does not know."""
    need(isinstance(value, dict), rule, f"{kind or 'the manifest'} is no map: {value!r}")
    unknown = sorted(set(value) - FIELDS[kind])
    need(not unknown, "unknown-field", f"{kind or 'manifest'}: {', '.join(map(str, unknown))}")
    return value


def string(parent, field, rule):
    value = parent.get(field)
    need(isinstance(value, str) and value.strip(), rule, f"{field} is {value!r}")
    return value


# ---------------------------------------------------------------------------------------------- manifest


def read_manifest(path):
    try:
        with open(path, encoding="utf-8") as file:
            manifest = yaml.safe_load(file)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Broken("yaml", str(error).replace("\n", " ")) from error
    check_manifest(mapping(manifest, "", "yaml"))
    name = manifest["metadata"]["name"]
    if os.path.basename(os.path.dirname(os.path.abspath(path))) == "plugins":  # as it lies in an index
        need(os.path.basename(path) == f"{name}.yaml", "file-name", f"{path} is not {name}.yaml")
    return manifest


def check_manifest(manifest):
    need(manifest.get("apiVersion") == API_VERSION, "api-version", repr(manifest.get("apiVersion")))
    need(manifest.get("kind") == "Plugin", "kind", repr(manifest.get("kind")))
    name = string(mapping(manifest.get("metadata"), "metadata", "name"), "name", "name")
    need(NAME.match(name), "name", f"{name!r} is not lower-case words with dashes between")
    need(not name.startswith("kubectl"), "name", f"{name!r} has kubectl in it")

    spec = mapping(manifest.get("spec"), "spec", "spec")
    version = string(spec, "version", "version")
    need(SEMVER.match(version), "version", f"{version!r} is not v and a semantic version")
    need(urlparse(string(spec, "homepage", "homepage")).scheme == "https", "homepage", spec["homepage"])
    check_descriptions(spec)

    platforms = spec.get("platforms")
    need(isinstance(platforms, list) and platforms, "platforms", f"platforms is {platforms!r}")
    for platform in platforms:
        check_platform(mapping(platform, "platform", "platforms"), version)
    for pair in PLATFORMS:
        count = sum(selects(platform["selector"], *pair) for platform in platforms)
        need(count <= 1, "overlap", f"{count} platforms are for {'/'.join(pair)}")


def check_descriptions(spec):
    short = string(spec, "shortDescription", "short-description")
    need(not re.search(r"[\r\n]", short), "short-description", "more than one line")
    need(len(short) <= SHORT_DESCRIPTION_MAX, "short-description", f"{len(short)} characters")
    need(not short.endswith("."), "short-description", "ends in a period")
    text = string(spec, "description", "description")
    example = EXAMPLE.search(text)
    need(not example, "description", f"usage is told by --help: {example and example.group().strip()!r}")
    for line in (text + spec.get("caveats", "")).splitlines():
        need(len(line) <= DESCRIPTION_LINE_MAX, "description", f"a line of {len(line)} characters")


def check_platform(platform, version):
    selector = mapping(platform.get("selector"), "selector", "selector")
    labels, expressions = selector.get("matchLabels"), selector.get("matchExpressions")
    need(labels or expressions, "selector", "selects nothing")
    keys = set(labels or {}) | {expression.get("key") for expression in expressions or []}
    need(keys <= {"os", "arch"}, "selector", f"keys are {sorted(map(str, keys))}")
    need(any(selects(selector, *pair) for pair in PLATFORMS), "selector", f"no platform is {selector}")

    uri = urlparse(string(platform, "uri", "uri"))
    need(uri.scheme == "https" and uri.netloc, "uri", f"{platform['uri']} is not https")
    need(uri.path.endswith(".tar.gz"), "uri", f"{platform['uri']} is not .tar.gz")
    need(version in uri.path, "uri", f"{platform['uri']} does not have {version} in it")
    need(SHA256.match(string(platform, "sha256", "sha256")), "sha256", platform["sha256"])
    check_path(string(platform, "bin", "bin"), "bin")
    if "files" in platform:
        need(isinstance(platform["files"], list) and platform["files"], "files", "neither absent nor filled")
        for move in platform["files"]:
            check_path(string(mapping(move, "files", "files"), "from", "files"), "files")
            check_path(string(move, "to", "files"), "files")


def check_path(path, rule):
    need(path == posixpath.normpath(path), rule, f"{path!r} is not clean, {posixpath.normpath(path)!r} is")
    need(not path.startswith("/") and ".." not in path.split("/"), rule, f"{path!r} leads out of the archive")


def selects(selector, system, machine):
    """Whether krew takes this platform there."""
    here = {"os": system, "arch": machine}
    if any(here.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or []:
        is_listed = here.get(expression.get("key")) in (expression.get("values") or [])
        need(expression.get("operator") in ("In", "NotIn"), "selector", f"operator {expression.get('operator')!r}")
        if is_listed != (expression["operator"] == "In"):
            return False
    return True


# ----------------------------------------------------------------------------------------------- archive


def unpack(path, directory):
    """As krew unpacks it: whatever else than a directory or a regular file stops it."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            for entry in archive:
                need(".." not in entry.name and entry.name[0] not in "/\\", "entry-path", entry.name)
                need(entry.isdir() or entry.isreg(), "entry-type", f"{entry.name} is of type {entry.type!r}")
                need(entry.mode in ((0o755,) if entry.isdir() else (0o644, 0o755)), "entry-mode",
                     f"{entry.name} has mode {entry.mode:04o}")
                archive.extract(entry, directory)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Broken("archive", f"{path} is no .tar.gz: {error}") from error


def matches(root, pattern):
    """The paths below root that a pattern names; as in krew, * has names with a leading dot too."""
    found = [""]
    for part in pattern.split("/"):
        found = [posixpath.join(parent, name) for parent in found if os.path.isdir(os.path.join(root, parent))
                 for name in sorted(os.listdir(os.path.join(root, parent))) if fnmatch.fnmatchcase(name, part)]
    return found


def move_files(moves, source, target):
    """A file that is named is renamed to `to` (or keeps its name at "."); what a pattern has goes below `to`."""
    for move in moves:
        is_direct = os.path.exists(os.path.join(source, move["from"]))
        found = [move["from"]] if is_direct else matches(source, move["from"])
        need(found, "glob", f"nothing in the archive is {move['from']!r}")
        for path in found:
            name = os.path.basename(path)
            to = os.path.join(target, move["to"], "" if is_direct and move["to"] != "." else name).rstrip("/")
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.move(os.path.join(source, path), to)


def install(manifest, platform, archive, root):
    """~/.krew (root) after an installation. Returns the link that kubectl finds on PATH, and where it leads."""
    name, spec = manifest["metadata"]["name"], manifest["spec"]
    store = os.path.join(root, "store", name, spec["version"])
    link = os.path.join(root, "bin", "kubectl-" + name.replace("-", "_"))
    with open(archive, "rb") as file:
        got = hashlib.sha256(file.read()).hexdigest()
    need(got == platform["sha256"], "checksum", f"{archive} has {got}, not {platform['sha256']}")
    with tempfile.TemporaryDirectory() as staging:
        unpack(archive, staging)
        os.makedirs(store)
        os.makedirs(os.path.dirname(link), exist_ok=True)
        move_files(platform.get("files") or [{"from": "*", "to": "."}], staging, store)
    binary = os.path.join(store, platform["bin"])
    need(os.path.isfile(binary), "bin-missing", f"{platform['bin']} is not among the installed files")
    if os.path.islink(link):
        os.remove(link)
    os.symlink(os.path.relpath(binary, os.path.dirname(link)), link)
    return link, binary


def check_installed(platform, binary, store):
    need(os.stat(binary).st_mode & 0o7777 == 0o755, "bin-mode", f"{platform['bin']} is not 0755")
    need(any(LICENCES.match(name) for name in os.listdir(store)), "licence", "no LICENSE is installed")
    with open(binary, "rb") as file:
        start = file.read(20)
    for machine, number in ELF_MACHINES.items():
        if selects(platform["selector"], "linux", machine):
            need(start[:4] == b"\x7fELF" and int.from_bytes(start[18:20], "little") == number, "machine",
                 f"{platform['bin']} is no program for linux/{machine}")


def check_release(path, archives):
    """All rules for a manifest and the archives of its platforms, which are told apart by the names in `uri`."""
    manifest = read_manifest(path)
    given = {os.path.basename(archive): archive for archive in archives}
    for platform in manifest["spec"]["platforms"]:
        archive = given.pop(os.path.basename(urlparse(platform["uri"]).path), None)
        need(archive, "archive-missing", f"none is given for {platform['uri']}")
        with tempfile.TemporaryDirectory() as root:
            _, binary = install(manifest, platform, archive, root)
            check_installed(platform, binary, os.path.join(root, "store", manifest["metadata"]["name"],
                                                           manifest["spec"]["version"]))
    need(not given, "archive-missing", f"no platform has {', '.join(sorted(given))}")
    return manifest
