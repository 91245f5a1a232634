"""Train the zstd dictionary that issues/bodies.py packs event bodies with.

usage: python -m benchmarks.train_dictionary ID SAMPLES...

SAMPLES are files with one event body each, as JSON, of real SDKs. Leave out whatever
holds a secret: fragments of the samples end up in the dictionary. A dictionary that
has been used is never changed or deleted: old bodies need it. Add one with a new ID.
"""

import argparse
import pathlib

import zstandard

from issues.bodies import DICTIONARY_FOLDER

SIZE = 16 << 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("id", type=int)
    parser.add_argument("samples", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    target = DICTIONARY_FOLDER / f"{arguments.id}.zdict"
    if target.exists():
        parser.error(f"{target.name} exists: bodies may need it, choose a new id")
    bodies = [path.read_bytes() for path in arguments.samples]
    trained = zstandard.train_dictionary(SIZE, bodies, dict_id=arguments.id)
    target.write_bytes(trained.as_bytes())
    print(f"{target.name}: {len(bodies)} samples, {len(trained.as_bytes())} bytes")


if __name__ == "__main__":
    main()
