"""Write everyday stories from a small grammar: a few people, and things given, looked for, listed and said again."""

from random import Random
from typing import Callable

WOMEN = ("Anna Clara Edith Flora Greta Hanna Ida Julia Klara Lena Maria Nora Olga Petra Rosa Sara "
         "Tilda Vera Wilma Zoe Alice Bella Dora Emma").split()
MEN = ("Boris Carl David Emil Felix Georg Henry Ivan Jakob Konrad Leo Martin Niklas Oscar Paul "
       "Robert Samuel Tom Victor Walter Anton Bruno Daniel Hugo").split()
ONSETS = "b br d dr f fl g gr h k l m n p r s st t tr v w z".split()
VOWELS = "a e i o u ai ea".split()
CODAS = "l m n r s t k nd".split()

THINGS = ("lantern key letter basket coin book ring map bell knife cup candle rope mirror drum kite "
          "clock scarf flute hammer compass bottle ladder umbrella brush box ticket pearl").split()
ADJECTIVES = "silver old small wooden heavy broken shiny blue strange tiny golden round dusty painted".split()
PLACES = ("mill river bridge church market harbour school forest well station tower garden inn "
          "bakery lighthouse orchard").split()
ROOMS = "kitchen cellar attic hall bedroom stable workshop pantry library bathroom".split()
FOODS = ("bread salt plums cheese apples butter onions honey fish eggs rice carrots beans pears "
         "flour nuts milk tea sugar pepper").split()
ANIMALS = "cat dog goat horse hen cow goose rabbit mouse fox owl donkey".split()
COLOURS = "red blue green white black brown yellow grey".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
CHORES = ["baked bread", "mended the roof", "washed the windows", "painted the door", "picked apples",
          "fed the hens", "wrote letters", "went fishing", "cut the grass", "swept the yard",
          "cleaned the stable", "carried water", "sold eggs", "planted beans", "played the flute"]
VERBS = "sleeps runs sings waits dances hides swims flies walks laughs".split()
TIMES = ["One morning", "One evening", "Last winter", "On a rainy day", "Early in spring", "One day",
         "Late at night", "After the storm", "Before dinner", "On the way home"]
INTERLUDES = [
    "It began to rain.", "The wind was cold.", "The sun came out again.", "It was late.", "Nobody said a word.",
    "Far away a dog barked.", "The bells rang twelve.", "They ate some soup.", "A cart went by.",
    "The fire was warm.", "Snow fell all night.", "Then they talked about the weather.", "The moon was bright.",
    "The children laughed.", "They slept until the morning.", "Somebody closed the window.",
    "It was a long day.", "The road was full of mud.", "They drank a cup of tea.", "The clouds were grey.",
]


class Cast:
    """Who and what one story is about, and the dice it is told with."""

    def __init__(self, dice: Random):
        self.dice = dice
        self.people = self.several([*WOMEN, *MEN], 3)
        # Made-up names cannot be remembered from training: they can only be copied.
        self.people = [name if dice.random() < 0.5 else self.made_up().capitalize() for name in self.people]
        self.they = {name: "she" if name in WOMEN or (name not in MEN and dice.random() < 0.5) else "he"
                     for name in self.people}
        self.place = self.one(PLACES)

    def one(self, options: list[str]) -> str:
        return self.dice.choice(options)

    def several(self, options: list[str], count: int) -> list[str]:
        return self.dice.sample(options, count)

    def made_up(self) -> str:
        syllables = [self.one(ONSETS) + self.one(VOWELS) for _ in range(self.dice.choice([2, 2, 3]))]
        return "".join(syllables) + (self.one(CODAS) if self.dice.random() < 0.4 else "")

    def order(self) -> list[str]:
        return self.several(self.people, len(self.people))

    def their(self, name: str) -> str:
        return "her" if self.they[name] == "she" else "his"


def listing(items: list[str]) -> str:
    return f"{', '.join(items[:-1])}, and {items[-1]}"


def gift(cast: Cast) -> list[str]:
    """A thing goes from hand to hand; the last sentence must remember where it is."""
    a, b, c = cast.order()
    thing, place = cast.one(THINGS), cast.one(PLACES)
    told = [cast.one([
        f"{cast.one(TIMES)} {a} found a {cast.one(ADJECTIVES)} {thing} near the {place}.",
        f"{a} bought a {cast.one(ADJECTIVES)} {thing} at the {place}.",
        f"{a} had a {thing} from the {place}.",
    ])]
    told.append(cast.one([
        f"{b} looked at the {thing} for a long time, so {a} gave the {thing} to {b}.",
        f"{a} gave the {thing} to {b}.",
        f"\"Take the {thing},\" said {a} to {b}, and {b} took the {thing}.",
    ]))
    if cast.dice.random() < 0.5:
        told.append(f"{b} put the {thing} in {cast.their(b)} bag.")
    if cast.dice.random() < 0.4:
        told.append(cast.one(INTERLUDES))
    if cast.dice.random() < 0.5:
        told.append(cast.one([f"Later {b} heard that {a} gave the same {thing} to {b} only because {cast.they[a]} had two.",
                              f"Everybody knew that {a} gave the {thing} to {b}.",
                              f"Yes, {a} gave the {thing} to {b}."]))
        return told + [f"Who has the {thing}? {b} has the {thing}."]
    told.append(cast.one([f"Then {b} gave the {thing} to {c}.", f"In the evening {b} gave the {thing} to {c}."]))
    return told + [f"Who has the {thing} now? {c} has the {thing}."]


def search(cast: Cast) -> list[str]:
    """Room by room, until the thing is there."""
    a, b, _ = cast.order()
    thing, rooms = cast.one(THINGS), cast.several(ROOMS, cast.dice.randint(2, 4))
    told = [cast.one([f"{a} had lost {cast.their(a)} {thing}.", f"\"Where is my {thing}?\" asked {a}.",
                      f"{cast.one(TIMES)} {a} could not find the {thing}."])]
    for room in rooms[:-1]:
        told.append(cast.one([
            f"{a} looked in the {room}, but the {thing} was not in the {room}.",
            f"{cast.they[a].capitalize()} looked in the {room}, but there was no {thing} in the {room}."]))
    told.append(f"At last {a} looked in the {rooms[-1]}, and there was the {thing}.")
    return told + cast.one([[f"\"Where was the {thing}?\" asked {b}. \"The {thing} was in the {rooms[-1]},\" said {a}."],
                            [f"So the {thing} was in the {rooms[-1]}."]])


def shopping(cast: Cast) -> list[str]:
    """A list, said again so as not to forget it, and bought."""
    a, b, _ = cast.order()
    foods = cast.several(FOODS, cast.dice.randint(3, 6))
    they = cast.they[a]
    told = [cast.one([f"{a} went to the market to buy {listing(foods)}.",
                      f"\"Please buy {listing(foods)},\" said {b} to {a}."])]
    told.append(f"On the way {they} said to {'herself' if they == 'she' else 'himself'}: {', '.join(foods)}.")
    told.append(f"{they.capitalize()} bought {listing(foods)} and put everything in a {cast.one(ADJECTIVES)} basket.")
    if cast.dice.random() < 0.5:
        told.append(f"\"What did you buy?\" asked {b}. \"{listing(foods).capitalize()},\" said {a}.")
    return told


def song(cast: Cast) -> list[str]:
    """A song is sung, and sung again."""
    a, b, _ = cast.order()
    lines = [f"the {cast.one(COLOURS)} {cast.one(ANIMALS)} {cast.one(VERBS)} near the {cast.one(PLACES)}"
             for _ in range(cast.dice.randint(1, 3))]
    text = ", ".join(lines).capitalize()
    return [f"{a} sang a song: \"{text}.\"",
            cast.one([f"{b} liked it and sang it too: \"{text}.\"", f"Then everybody sang: \"{text}.\""])]


def letter(cast: Cast) -> list[str]:
    """A letter is written, and read aloud word for word."""
    a, b, c = cast.order()
    text = (f"Dear {b}, {cast.one(['meet me', 'wait for me', 'look for me'])} at the {cast.one(PLACES)} on "
            f"{cast.one(DAYS)} and bring the {cast.one(THINGS)}. {cast.one(['Your friend', 'Yours', 'With love'])}, {a}")
    return [f"{a} wrote a letter: \"{text}.\"",
            cast.one([f"{b} read the letter to {c}: \"{text}.\"", f"{b} opened it and read: \"{text}.\""])]


def secret(cast: Cast) -> list[str]:
    """A made-up word, told once and asked for later."""
    a, b, _ = cast.order()
    word = cast.made_up()
    told = [cast.one([f"\"The secret word is {word},\" said {a}.", f"{a} told {b} that the secret word is {word}."])]
    if cast.dice.random() < 0.7:
        told.append(cast.one(INTERLUDES))
    return told + [f"\"What is the secret word?\" asked {a}. \"The secret word is {word},\" said {b}."]


def memory(cast: Cast) -> list[str]:
    """A row of words, said by one and said again by another."""
    a, b, _ = cast.order()
    words = cast.several([*THINGS, *ANIMALS, *FOODS, *PLACES], cast.dice.randint(5, 16))
    words = [word if cast.dice.random() < 0.8 else cast.made_up() for word in words]
    row = ", ".join(words)
    return [cast.one(["They played a memory game.", "They played the old game of words."]),
            f"{a} said: {row}.", cast.one([f"{b} said it again: {row}.", f"{b} said the same words: {row}."])]


def walk(cast: Cast) -> list[str]:
    """There and back: the way home is the way out, turned round."""
    a, b, _ = cast.order()
    stops = cast.several(PLACES, cast.dice.randint(3, 4))
    steps = lambda way: ", then ".join(f"from the {x} to the {y}" for x, y in zip(way, way[1:]))
    return [cast.one([f"{a} and {b} went for a walk.", f"{a} took {b} for a walk."]),
            f"They walked {steps(stops)}.", f"They came back the same way, {steps(stops[::-1])}."]


def animals(cast: Cast) -> list[str]:
    """Whose animal has which colour."""
    owners, kinds = cast.order(), cast.several(ANIMALS, 3)
    colours = cast.several(COLOURS, 3)
    told = [" ".join(f"{who} had a {colour} {kind}." for who, colour, kind in zip(owners, colours, kinds))]
    who = cast.dice.randrange(3)
    return told + [cast.one([f"Whose is the {kinds[who]}? The {colours[who]} {kinds[who]} is {owners[who]}'s.",
                             f"The {kinds[who]} ran to {owners[who]}, because {owners[who]} had the {colours[who]} {kinds[who]}."])]


def boxes(cast: Cast) -> list[str]:
    """What lies in which box."""
    a, b, _ = cast.order()
    colours, things = cast.several(COLOURS, 3), cast.several(THINGS, 3)
    told = [f"{a} put a {thing} in the {colour} box." for colour, thing in zip(colours, things)]
    pick = cast.dice.randrange(3)
    return told + [f"{b} opened the {colours[pick]} box and found the {things[pick]}."]


def days(cast: Cast) -> list[str]:
    """A week of work, and a question about it."""
    a, b, _ = cast.order()
    first = cast.dice.randint(0, 3)
    week = list(zip(DAYS[first:first + 4], cast.several(CHORES, 4)))
    told = [f"On {day} {a} {chore}." for day, chore in week]
    day, chore = cast.dice.choice(week)
    return told + [f"\"What did you do on {day}?\" asked {b}. \"On {day} I {chore},\" said {a}."]


SCENES: list[Callable[[Cast], list[str]]] = [
    gift, gift, search, shopping, song, letter, secret, memory, walk, animals, boxes, days,
]


def story(dice: Random) -> str:
    """One story: an opening, and two to five scenes about the same people."""
    cast = Cast(dice)
    a, b, c = cast.people
    told = [cast.one([f"{a}, {b}, and {c} lived near the {cast.place}.", f"{a} had two friends, {b} and {c}.",
                      f"Once there were three friends, {a}, {b}, and {c}.", ""])]
    for scene in dice.sample(SCENES, dice.randint(2, 5)):
        if dice.random() < 0.4:
            told.append(cast.one(INTERLUDES))
        told.extend(scene(cast))
    return " ".join(told).strip()


def stories(seed: int, characters: int) -> list[str]:
    """So many characters of stories; the same seed tells the same ones."""
    dice, told, length = Random(seed), [], 0
    while length < characters:
        told.append(story(dice))
        length += len(told[-1])
    return told
