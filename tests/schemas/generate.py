"""Documents that a JSON Schema allows, and documents that are almost so. Seeded: the same seed makes the same ones.

Knows the part of JSON Schema that schemas/ is written in. What it makes is random within each keyword, so a caller asks the
schema itself whether a document fits; nearly all do.
"""

import copy
import json
import random
import string

import rstr

NOWHERE = object()
UNICODE = "aZ09 _-./:+é漢🌍\t\"\\"


class Generator:
    def __init__(self, schema, seed, texts=()):
        """texts: {definition or property name: function of a random.Random}, where a pattern says less than we want."""
        self.root, self.random, self.texts = schema, random.Random(seed), dict(texts)
        self.strings, self.pools = rstr.Rstr(self.random), {}

    # --- documents that fit ---

    def document(self):
        return self.of(self.root)

    def of(self, schema, name=None):
        if schema is True or schema == {}:
            return self.anything()
        if "$ref" in schema:
            return self.of(self.resolve(schema["$ref"]), schema["$ref"].rsplit("/", 1)[-1])
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return copy.deepcopy(self.random.choice(schema["enum"]))
        for keyword in ("oneOf", "anyOf"):
            if keyword in schema:
                return self.of(self.random.choice(schema[keyword]), name)
        return self.of_type(schema, name)

    def of_type(self, schema, name):
        types = schema.get("type", "object")
        kind = self.random.choice(types) if isinstance(types, list) else types
        return {
            "object": lambda: self.object(schema),
            "array": lambda: self.array(schema),
            "string": lambda: self.text(schema, name),
            "integer": lambda: self.whole(schema),
            "number": lambda: self.number(schema),
            "boolean": lambda: self.random.random() < 0.5,
            "null": lambda: None,
        }[kind]()

    def resolve(self, ref):
        found = self.root
        for part in ref.removeprefix("#/").split("/"):
            found = found[part]
        return found

    def object(self, schema):
        required, made = set(schema.get("required", ())), {}
        for name, inside in schema.get("properties", {}).items():
            if name in required or self.random.random() < 0.4:
                made[name] = self.of(inside, name)
        more = schema.get("additionalProperties", True)
        names = schema.get("propertyNames", {"pattern": "^[a-z]{1,8}$"})
        for _ in range(self.random.randint(schema.get("minProperties", 0), 3) if more is not False else 0):
            made.setdefault(self.of(names, "name") if "$ref" in names else self.text(names, "name"), self.of(more))
        return self.apply_rules(schema, made)

    def apply_rules(self, schema, made):
        """What if/then in allOf asks of a document whose `if` is {"properties": {NAME: {"const": VALUE}}}."""
        for rule in schema.get("allOf", ()):
            rule = self.resolve(rule["$ref"]) if "$ref" in rule else rule
            self.apply_rules({"allOf": rule.get("allOf", ())}, made)
            conditions = rule.get("if", {}).get("properties", {})
            if "then" in rule and all(made.get(name, NOWHERE) == wanted["const"] for name, wanted in conditions.items()):
                self.complete(rule["then"], made)
        return made

    def complete(self, then, made):
        for name, inside in then.get("properties", {}).items():
            if name in then.get("required", ()) or name in made:
                made[name] = self.of(inside, name)
        for name in then.get("required", ()):
            if name not in made:
                made[name] = self.of(self.property(name), name)
        if "else" in then and self.random.random() < 0.8:
            self.complete(then["else"], made)

    def property(self, name):
        return next(d["properties"][name] for d in self.root["$defs"].values() if name in d.get("properties", {}))

    def array(self, schema):
        size = self.random.randint(schema.get("minItems", 0), min(schema.get("maxItems", 4), 16))
        return [self.of(schema.get("items", True)) for _ in range(size)]

    def text(self, schema, name):
        if name in self.texts:
            return self.texts[name](self.random)
        if "pattern" in schema:
            return self.random.choice(self.pool(schema["pattern"]))
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 40)
        length = self.random.choice([shortest, self.random.randint(shortest, min(longest, 60)), longest])
        return "".join(self.random.choice(UNICODE) for _ in range(length))

    def pool(self, pattern):
        """Making a text for a pattern is the slowest part of all: a few hundred of each have to do."""
        if pattern not in self.pools:
            self.pools[pattern] = [self.strings.xeger(pattern) for _ in range(300)]
        return self.pools[pattern]

    def whole(self, schema):
        low, high = schema.get("minimum", -(10**9)), schema.get("maximum", 10**9)
        number = self.random.choice([low, high, self.random.randint(low, high)])
        return float(number) if self.random.random() < 0.1 else number

    def number(self, schema):
        low, high = schema.get("minimum", -1e6), schema.get("maximum", 1e6)
        return self.random.choice([high, low, self.random.randint(1, int(high)), self.random.uniform(low, high)])

    def anything(self, depth=2):
        kind = self.random.randrange(7 if depth else 5)
        if kind == 5:
            return [self.anything(depth - 1) for _ in range(self.random.randrange(3))]
        if kind == 6:
            return {self.random.choice(string.ascii_letters): self.anything(depth - 1) for _ in range(2)}
        return [None, True, self.random.randint(-(10**6), 10**6), self.random.uniform(-9, 9), "é 漢 x"][kind]

    # --- documents that are almost so ---

    def mutated(self, document, times):
        document = copy.deepcopy(document)
        for _ in range(times):
            document = self.mutate(document)
        return document

    def mutate(self, document):
        places = list(_places(document, ()))
        place = self.random.choice(places)
        if not place:
            return self.other(document) if self.random.random() < 0.2 else self.grown(document)
        parent = _at(document, place[:-1])
        if isinstance(parent, dict) and self.random.random() < 0.2:
            del parent[place[-1]]
        elif isinstance(parent, dict) and self.random.random() < 0.1:
            parent[place[-1] + self.random.choice("x _é")] = parent.pop(place[-1])
        else:
            parent[place[-1]] = self.other(parent[place[-1]])
        return document

    def other(self, value):
        """Something else in its place: of another type, or near it."""
        if self.random.random() < 0.3:
            return self.anything()
        if isinstance(value, bool) or value is None:
            return self.random.choice([None, True, False, 0, 1, "true", [], {}])
        if isinstance(value, (int, float)):
            thousandfold = value * 1000 if abs(value) < 1e12 else 0  # within 64 bits
            near = [value + 1, value - 1, -value, thousandfold, value + 0.5, float(value), str(value), 2**62, 0, -1, 1e15]
            return self.random.choice(near)
        if isinstance(value, str):
            return self.other_text(value)
        return self.grown(value)

    def other_text(self, text):
        at = self.random.randint(0, len(text))
        char = self.random.choice(list("aZ09._-:/+ ?#@[],\\\"<>\n\té漢\u007f") + ["..", "00", "\U0001f30d"])
        return self.random.choice(
            [
                text[:at] + char + text[at:],
                text[:at] + char + text[at + 1 :],
                text[:at] + text[at + 1 :],
                text[:at],
                text[at:],
                text + text,
                text * 30,
                text.upper(),
                text.lower(),
                text.swapcase(),
                "",
                ".",
                "..",
                " " + text,
                text + "\n",
            ]
        )

    def grown(self, value):
        if isinstance(value, dict):
            return value | {self.random.choice(["x", "provider", "say", "play", "env", "file", "é"]): self.anything()}
        if isinstance(value, list):
            return self.random.choice([[], value * 2, value * 20, value + [self.anything()], {"0": value}, None])
        return self.anything()


def _places(value, path):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield from _places(inside, (*path, key))


def _at(value, path):
    for key in path:
        value = value[key]
    return value


def line_of(document):
    return json.dumps(document, ensure_ascii=False)
