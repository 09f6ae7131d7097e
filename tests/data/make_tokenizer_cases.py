#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write tests/data/tokenizer_cases.json: texts and the ids that CLIP gives them.

    pip install ftfy==6.3.1 regex==2024.11.6
    make_tokenizer_cases.py VOCAB FIXTURE > tokenizer_cases.json

VOCAB is bpe_simple_vocab_16e6.txt.gz. FIXTURE is a list of {"text", "clean",
"ids"} made by the original tokenizer; this one must agree with it first.
"""

import gzip
import html
import json
import random
import sys

import ftfy
import regex

PIECES = regex.compile(
    r"<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|"
    r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", regex.IGNORECASE)
CONTEXT = 32


def byte_letters():
    printable = [b for b in range(256)
                 if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    others = [b for b in range(256) if b not in printable]
    letters = {b: chr(b) for b in printable}
    letters.update({b: chr(256 + i) for i, b in enumerate(others)})
    return letters


class Tokenizer:
    def __init__(self, path):
        lines = gzip.open(path).read().decode().split("\n")
        merges = [tuple(line.split()) for line in lines[1:48895]]
        self.letters = byte_letters()
        symbols = list(self.letters.values())
        symbols += [s + "</w>" for s in symbols]
        symbols += ["".join(m) for m in merges]
        symbols += ["<start_of_text>", "<end_of_text>"]
        self.ids = {s: i for i, s in enumerate(symbols)}
        self.ranks = {m: i for i, m in enumerate(merges)}

    @staticmethod
    def clean(text):
        text = html.unescape(html.unescape(ftfy.fix_text(text)))
        return regex.sub(r"\s+", " ", text.strip()).strip().lower()

    def encode_piece(self, piece):
        if piece in ("<start_of_text>", "<end_of_text>"):
            return [self.ids[piece]]
        word = [self.letters[b] for b in piece.encode()]
        word[-1] += "</w>"
        while len(word) > 1:
            pair = min(zip(word, word[1:]),
                       key=lambda p: self.ranks.get(p, 1 << 30))
            if pair not in self.ranks:
                break
            merged, i = [], 0
            while i < len(word):
                if tuple(word[i:i + 2]) == pair:
                    merged.append(word[i] + word[i + 1])
                    i += 2
                else:
                    merged.append(word[i])
                    i += 1
            word = merged
        return [self.ids[s] for s in word]

    def encode(self, text, context=CONTEXT):
        start, end = self.ids["<start_of_text>"], self.ids["<end_of_text>"]
        ids = [start]
        for piece in PIECES.findall(self.clean(text)):
            ids += self.encode_piece(piece)
        ids.append(end)
        if len(ids) > context:
            ids = ids[:context]
            ids[-1] = end
        return ids + [0] * (context - len(ids))


WRITTEN = """
a person riding a bicycle|two dogs playing in the snow|An Empty Street at Night
it's raining, isn't it?|WE'RE done; they'd've gone|o'clock 'tis rock'n'roll
a 1967 Ford Mustang GT-500|route 66, mile 1,204.5|50% off!!! $9.99 (€8,50)
e-mail: someone@example.org|https://example.org/a?b=c&d=e|C++ and C# #hashtag
“double” ‘single’ „low“ «guillemets» ‹angle› ‛odd‟|rock ʼn roll ŉ
ﬁre ﬂow oﬃce baﬄe ﬅ ﬆ ĳs Ǆ ǅ ǆ Ǉ ǈ ǉ Ǌ ǋ ǌ Ǳ ǲ ǳ|Ｆｕｌｌ　Ｗｉｄｔｈ １２３！ ～￥
ｶﾀｶﾅ ﾊﾟﾝ ﾞ|ﾡﾢ halfwidth jamo|日本の街角を歩く人々|北京的一条繁忙街道|서울의 밤거리
улица ночью, мокрый асфальт|ΟΔΟΣ ΟΔΥΣΣΕΑΣ Σ ΑΣ. ΑΣΑ Σ'Σ|ΌΣΟΣ:ΣΑΣ|שלום עולם|مرحبا بالعالم ٣٤
हिन्दी में एक वाक्य|ภาษาไทยไม่มีช่องว่าง|Tiếng Việt có dấu|ΰ ΐ ᾳ ᾼ ͅ|İSTANBUL IĞDIR ıi
e\u0301clair nai\u0308ve A\u030a|a\u0323\u0302 \u0344 \u1e9e \u2126 \u212a \u212b|n\u0303 o\u0308 u\u0308
caf&eacute; &Eacute;COLE &EACUTE;T&Eacute;|fish &amp chips &ampersand &notit; &not;it|5 &lt; 6 &gt; 4 &quot;q&quot;
<b>&eacute;</b> &ldquo;kept&rdquo;|&ldquo;fixed&rdquo; &hellip; &mdash; &nbsp; x|&#233;&#xe9;&#XE9 &#x1F600; &#128512 &#0; &#x80; &#150;
&#59; &#x3b; &#38;amp; &amp;amp;amp;lt; &amp;#233;|&#1; &#xD800; &#x110000; &#99999999999; &#; &#x; &;|&SZLIG; &NTILDE; &nTILDE; &ALPHA; &HEARTS;
&lt;start_of_text&gt; x|<end_of_text>tail|a<start_of_text>b|<START_OF_TEXT> y|x <end_of_text|<start_of_text
tab\tand\u00a0nbsp\u2003em\u3000wide\u1680ogham|line\r\nbreak\rmac\u2028sep\u2029par|zero\u200bwidth \u200djoin \ufeffbom
bell\u0007 esc\u001b[1;31mred\u001b[0m del\u007f|\u001b[3 x \u001b[m \u001bx|\u206a\u206f \ufff9a\ufffab\ufffb \ufffc obj
c1 \u0080 \u0085 \u0091q\u0092 \u0099 \u009d|¼ ½ ¾ ² ³ ¹ ⅷ Ⅷ ① ⒈ 〇 ৳ ٣|5² km² CO₂ H₂O 10⁻³
emoji 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇮 👍🏽 ☕️ 🤷🏽‍♀️|kaomoji (╯°□°）╯︵ ┻━┻ ¯\\_(ツ)_/¯|math ∑ ∫ √ ≠ ∞ 𝒥 𝟙
snake_case camelCase kebab-case dot.ted/slash\\back|...---... *** ~~~ ^^^ ``` |#!/bin/sh && || >> <<
'S 'T 'LL 'D 'M 'VE 'RE ''s '''|'\u017f x'\u017ft \u017f|aa'ss b't's|I'd'll
supercalifragilisticexpialidocious antidisestablishmentarianism|pneumonoultramicroscopicsilicovolcanoconiosis
Łódź Kraków Gdańsk żółć|Åse Øystein Æsir ðorn þing|Straße GROẞ ẞ|œuvre Œuvre ĸ ŋ Ŋ|crème brûlée à la carte
the quick brown fox jumps over the lazy dog and then runs all the way back home to tell the other foxes about it
a long exposure photograph of a waterfall in a forest, with moss-covered rocks, in autumn, at dawn, award-winning, 8k
1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25|12345678901234567890123456789012345
""".strip("\n")

NOUNS = """dog cat bicycle forklift welder kitchen harbour violin goalkeeper
escalator tractor lighthouse jellyfish saxophone parade X-ray T-shirt café
piñata jalapeño 747 5K-run hip-hop rock'n'roll""".split()
VERBS = """riding holding cooking juggling repairing watching chasing playing
unloading x-raying re-painting photographing""".split()
FRAMES = ["a video of {n}.", "A Photo of the {n}", "someone {v} a {n}",
          "two people {v} near a {n}, {v2} it", "{n}: {v}?", "the {n}'s {n2}",
          "itap of my {n} & {n2}", "{v} {n} #{k}", "\"{n}\" ({k}%)"]
# Scripts and signs to mix at random; what looks like text that was decoded in
# a wrong encoding is left out, that repair is not ours.
ALPHABETS = ["abcXYZ", "0123456789", " \t\n ", ".,;:!?'\"-_()[]{}/\\|@#$%^*~`",
             "àéîõüñç", "ÀÉÎÕÜÑÇ", "абвГДЖщЯ", "αβγΣσςΩώ", "漢字かなカナ", "한국어말",
             "עברית", "عربي", "हिन्दी", "ไทย", "\u0301\u0308\u0327\u0345", "ﬁﬂﬃ",
             "ＡｂＣ１２", "ｶﾞﾊﾟ", "“”‘’", "…–—•", "½²Ⅷ①", "😀👍🏽🇫🇮", "\u200b\u200d\u2060",
             "&;#<>xamplt", "İıſẞ", "\u2028\u00a0\u3000"]


def texts():
    for line in WRITTEN.split("\n"):
        yield from line.split("|")
    rng = random.Random(20)
    for _ in range(60):
        yield rng.choice(FRAMES).format(
            n=rng.choice(NOUNS), n2=rng.choice(NOUNS), v=rng.choice(VERBS),
            v2=rng.choice(VERBS), k=rng.randrange(1000))
    for _ in range(200):
        kinds = rng.sample(ALPHABETS, rng.randrange(1, 5))
        yield "".join(rng.choice(rng.choice(kinds))
                      for _ in range(rng.randrange(1, 24)))


def main():
    tokenizer = Tokenizer(sys.argv[1])
    for case in json.load(open(sys.argv[2])):
        ids = tokenizer.encode(case["text"], len(case["ids"]))
        assert tokenizer.clean(case["text"]) == case["clean"], case
        assert ids == case["ids"], case
    cases = []
    for text in texts():
        plain = ftfy.fix_text(text, fix_encoding=False)
        if plain != ftfy.fix_text(text):
            print("skipped, wrong encoding:", ascii(text), file=sys.stderr)
            continue
        cases.append({"text": text, "clean": tokenizer.clean(text),
                      "ids": tokenizer.encode(text)})
    lines = [json.dumps(c, ensure_ascii=True, separators=(",", ":"))
             for c in cases]
    print("[\n" + ",\n".join(lines) + "\n]")


main()
