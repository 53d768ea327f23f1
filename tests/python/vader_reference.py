"""Scores texts with the reference, PyPI's vaderSentiment 3.3.2: a JSON list a line on stdout.

    vader_reference.py generated COUNT SEED     texts made up of what the rules look at
    vader_reference.py distribution FILE        the texts of the source distribution (tar.gz)
    vader_reference.py lines                    a JSON string a line from stdin

Each line is [text, pos, neu, neg, compound]. For the benchmark:

    vader_reference.py texts FILE               the texts of the source distribution alone
    vader_reference.py time FILE                how many CPU seconds it takes to score them
"""

import io
import json
import random
import sys
import tarfile
import time

from vaderSentiment import vaderSentiment as vader

ANALYZER = vader.SentimentIntensityAnalyzer()


def generated(count, seed):
    """Texts in random order of words of the lexicon, boosters, negations, emoji and marks."""
    pick = random.Random(seed)
    lexicon = list(ANALYZER.lexicon)
    emoji = list(ANALYZER.emojis)
    boosters = list(vader.BOOSTER_DICT)
    phrases = list(vader.SPECIAL_CASES) + ["at least", "very least", "least", "without doubt", "without a doubt",
        "never so", "never this", "no problem", "no or", "nor", "kind of", "kind", "sort of", "just enough", "but", "BUT"]
    plain = ["the", "a", "phone", "I", "is", "to", "cloud", "AWS", "marketplace", "10", "x", "été", "Straße",
        "ЦЕНА", "цена", "日本語", "K", "İ", "ǅ", "ﬁ", "LI\u212aE", "#love", "@good", "http://t.co/bad", "don\u2019t", "“great”"]
    spaces = [" "] * 20 + ["  ", "\n", "\t", "\u00a0", "\u2009", "\u3000", "\x1c", "\x85", "\u200b"]
    marks = ["", "", "", "", ".", ",", "!", "!!", "!!!!!", "?", "??", "????", "...", "…", "'", '"', ")", "(", "--", "’s", "'s", "n't", "N'T"]
    cases = [str, str, str, str.upper, str.lower, str.capitalize, str.title, str.swapcase]
    sources = [lexicon, lexicon, boosters, vader.NEGATE, phrases, plain, emoji]
    for _ in range(count):
        words = []
        repeats = pick.random() < 0.05
        for _ in range(pick.choice([0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 25, 60])):
            word = pick.choice(words)[0] if repeats and words else pick.choice(pick.choice(sources))
            glue = "" if pick.random() < 0.05 else pick.choice(spaces)
            words.append((pick.choice(marks) * (pick.random() < 0.1) + pick.choice(cases)(word) + pick.choice(marks), glue))
        yield "".join(word + glue for word, glue in words)


def distribution(path):
    """The texts that the authors had rated: tweets, reviews, editorials."""
    with tarfile.open(path) as outer:
        inner = next(m for m in outer.getmembers() if m.name.endswith("hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=io.BytesIO(outer.extractfile(inner).read())) as tar:
            for member in sorted(tar.getmembers(), key=lambda m: m.name):
                if member.name.endswith("_GroundTruth.txt"):
                    for line in tar.extractfile(member).read().decode("utf-8", "replace").split("\n"):
                        if line.strip():
                            yield line.rstrip("\r").split("\t", 2)[2]


def main(mode, *arguments):
    if mode == "texts":
        for text in distribution(*arguments):
            print(json.dumps(text, ensure_ascii=False))
        return
    if mode == "time":
        texts = list(distribution(*arguments))
        started = time.process_time()
        for text in texts:
            ANALYZER.polarity_scores(text)
        print(time.process_time() - started)
        return
    texts = {
        "generated": lambda count, seed: generated(int(count), int(seed)),
        "distribution": distribution,
        "lines": lambda: (json.loads(line) for line in sys.stdin),
    }[mode](*arguments)
    for text in texts:
        scores = ANALYZER.polarity_scores(text)
        print(json.dumps([text] + [scores[key] for key in ("pos", "neu", "neg", "compound")], ensure_ascii=False))


main(*sys.argv[1:])
