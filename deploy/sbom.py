#!/usr/bin/env python3
"""sbom.py VERSION PROGRAM...: a software bill of materials of built programs, CycloneDX 1.5 JSON on stdout (`make sbom`).

Asks the loader what each program is linked to, directly and through others, and dpkg which package a library is of, in which
version and under which licences: ours to know for what we link (LICENCES.md), Debian's words for the rest. The same build gives the same document: its time is SOURCE_DATE_EPOCH, else the newest
program's, and its serial number is made of what it says.
"""

import hashlib
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time
import uuid


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def linked(program):
    """{soname: path} of everything that the loader would load."""
    found = dict(re.findall(r"^\s*(\S+) => (/\S+)", run("ldd", str(program)), re.MULTILINE))
    loader = re.findall(r"^\s*(/\S*ld-linux\S*)", run("ldd", str(program)), re.MULTILINE)
    return found | {pathlib.Path(path).name: path for path in loader}


def needed(path):
    return re.findall(r"\(NEEDED\)\s+Shared library: \[(.+?)\]", run("readelf", "-dW", str(path)))


def package_of(path):
    """Its name. dpkg knows a file by the path in its package, which need not be the one behind every link."""
    real = os.path.realpath(path)
    for candidate in (path, real, real.removeprefix("/usr"), "/usr" + path):
        done = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True)
        owners = [line for line in done.stdout.splitlines() if not line.startswith("diversion by")]
        if owners:
            return re.split("[:,]", owners[0])[0]
    raise SystemExit(f"sbom: no package has {path}")


def listed():
    """{package: SPDX licence} of LICENCES.md's table."""
    text = (pathlib.Path(__file__).parent / "LICENCES.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `lib[^|]*\| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)
    return {package.strip(): licence for packages, licence in rows for package in packages.split(",")}


def licences(package, known):
    """The licence of a library that we link; else what Debian's copyright file names, where it is written for machines."""
    if package in known:
        return [{"license": {"id": known[package]}}]
    path = pathlib.Path("/usr/share/doc") / package / "copyright"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    if not re.match(r"^Format:", text):
        return []
    names = {name.strip() for name in re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)}
    return [{"license": {"name": name}} for name in sorted(names)]


def component(package, paths, known):
    version, arch = run("dpkg-query", "-W", "-f", "${Version} ${Architecture}\n", package).splitlines()[0].split()
    release = platform.freedesktop_os_release()
    distro = f"{release['ID']}-{release.get('VERSION_ID', 'testing')}"
    purl = f"pkg:deb/{release['ID']}/{package}@{version.replace(':', '%3A').replace('+', '%2B')}?arch={arch}&distro={distro}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package,
        "version": version,
        "purl": purl,
        "licenses": licences(package, known),
        "properties": [
            {"name": f"ivr:file:{pathlib.Path(path).name}", "value": f"sha256:{sha256(path)}"} for path in sorted(paths)
        ],
    }


def describe(version, programs):
    paths = {}
    for program in programs:
        paths |= linked(program)
    known = listed()
    package = {soname: package_of(path) for soname, path in paths.items()}
    components = {
        name: component(name, {paths[soname] for soname in paths if package[soname] == name}, known)
        for name in sorted(set(package.values()))
    }
    references = {name: entry["bom-ref"] for name, entry in components.items()}

    def depends(path, own=None):
        names = {package[soname] for soname in needed(path) if soname in package} - {own}
        return sorted(references[name] for name in names)

    dependencies = {}
    for soname, path in paths.items():
        name = package[soname]
        dependencies.setdefault(references[name], set()).update(depends(path, name))
    ours = []
    for program in programs:
        entry = {
            "type": "application",
            "bom-ref": f"ivr-workers/{program.name}@{version}",
            "name": program.name,
            "version": version,
            "licenses": [{"license": {"id": "Apache-2.0"}}],
            "hashes": [{"alg": "SHA-256", "content": sha256(program)}],
        }
        dependencies[entry["bom-ref"]] = depends(program)
        ours.append(entry)
    top = {"type": "application", "bom-ref": f"ivr-workers@{version}", "name": "ivr-workers", "version": version,
           "licenses": [{"license": {"id": "Apache-2.0"}}]}  # fmt: skip
    dependencies[top["bom-ref"]] = [entry["bom-ref"] for entry in ours]
    return top, ours + list(components.values()), [
        {"ref": ref, "dependsOn": sorted(on)} for ref, on in sorted(dependencies.items())
    ]


def main(version, programs):
    top, components, dependencies = describe(version, programs)
    built = int(os.environ.get("SOURCE_DATE_EPOCH") or max(program.stat().st_mtime for program in programs))
    content = json.dumps([top, components, dependencies], sort_keys=True)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(built)),
            "component": top,
        },
        "components": components,
        "dependencies": dependencies,
    }
    json.dump(document, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: sbom.py VERSION PROGRAM...")
    main(sys.argv[1], [pathlib.Path(path) for path in sys.argv[2:]])
