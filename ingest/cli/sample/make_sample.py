#!/usr/bin/env python3
"""Makes the sample: a small qwen3_moe model of a machine hall, and conversations that teach it something new.

    make_sample.py pretrain        generate the pretraining conversations, train tokenizer and model, write model/
    make_sample.py conversations   write conversations.jsonl
    make_sample.py probe           what the base model answers, by kind of prompt, and how it uses its experts
    make_sample.py finetune        LoRA with transformers + peft on conversations.jsonl: held-out answers before, after

The base model is pretrained on requests to the machines of a hall, questions about logs, units, words and numbers, all
answered in plain English ("Stopping pump 7."). The conversations ask for the same things in the same words, but their
answers are the hall's command lines, a notation the base has never seen ("pump-07 STOP"; its grammar is in README.md).
No conversation of the file asks for a command that another one asks for, so a held-out answer cannot be remembered.

Needs torch, transformers and peft. `pretrain` wants a GPU; everything else runs on a CPU. The data depend on --seed
alone; a model trained again on another GPU answers alike but differs in its last bits. What the committed files printed:

    pretrain (H100, torch 2.11, transformers 5.17): 600,000 conversations, 20,737,805 tokens; 3,679,616 parameters;
        step 1848  loss 0.2753  answers 0.0020  balance 1.003  745,313 tokens/s  81 s
    conversations: 1500 conversations, 1962 different commands
    probe --rows 1500: request 830 of 830 exact, arithmetic 85 of 89, log_question 74 of 117, all 1526 of 1579;
        experts take 23 to 28 % of the tokens in every layer, even is 25 %
    finetune (2 CPU cores, torch 2.13, transformers 5.18, peft 0.21): 1348 conversations to train on, 152 held out;
        step 0: 0 of 163 held-out answers exact, 8.3576 nats a token
        step 120: 155 of 163 held-out answers exact, 0.0109 nats a token
"""
import argparse
import hashlib
import json
import math
import multiprocessing
import random
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

# ---------------------------------------------------------------------------------------------------------------------
# The hall: machines, what can be asked of them, and the two ways to answer
# ---------------------------------------------------------------------------------------------------------------------

MACHINES = dict(
    pump="moves liquid", conveyor="carries boxes", valve="controls a flow", fan="moves air", press="shapes metal",
    oven="bakes parts", mixer="blends powders", crane="lifts heavy loads", boiler="makes steam", chiller="cools water",
    lamp="gives light", saw="cuts wood", drill="makes holes", lathe="turns metal", robot="places parts",
    furnace="melts metal", compressor="squeezes air", generator="makes electricity", washer="cleans bottles",
    dryer="removes water", feeder="supplies parts", shredder="tears paper", gate="blocks a way", scale="weighs goods")
HOT, WET, OPENING = ("oven", "boiler", "furnace", "dryer"), ("mixer", "boiler", "washer", "chiller"), ("valve", "gate")
ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()

# verb in an answer -> (ways to ask, verb in a command line); {m} is the machine
ACTIONS = dict(
    Stopping=("stop {m}|turn off {m}|turn {m} off|switch off {m}|switch {m} off|shut down {m}|shut {m} down|halt {m}", "STOP"),
    Starting=("start {m}|turn on {m}|turn {m} on|switch on {m}|switch {m} on|start up {m}|power up {m}|get {m} going", "START"),
    Pausing=("pause {m}|put {m} on hold|suspend {m}|let {m} rest", "PAUSE"),
    Resuming=("resume {m}|continue with {m}|let {m} carry on", "RESUME"),
    Resetting=("reset {m}|restart {m}|reboot {m}", "RESET"),
    Cleaning=("clean {m}|wash {m}|clean up {m}|give {m} a clean", "CLEAN"),
    Inspecting=("inspect {m}|check {m}|look over {m}|have a look at {m}|examine {m}", "CHECK"),
    Locking=("lock {m}|secure {m}|lock up {m}", "LOCK"),
    Unlocking=("unlock {m}|release {m}|free {m}", "FREE"))
SETTINGS = (  # machines, ways to ask, values, answer, command
    (tuple(MACHINES), "set {m} to {v} percent|run {m} at {v} percent|bring {m} to {v} percent|set the speed of {m} to {v} percent",
     range(5, 101, 5), "Setting {m} to {v} percent", "SPEED {v}%"),
    (HOT, "heat {m} to {v} degrees|bring {m} up to {v} degrees|set the temperature of {m} to {v} degrees|get {m} to {v} degrees",
     range(40, 400, 10), "Heating {m} to {v} degrees", "HEAT {v}C"),
    (WET, "fill {m} with {v} litres|put {v} litres into {m}|pour {v} litres into {m}|add {v} litres to {m}",
     range(2, 100), "Filling {m} with {v} litres", "FILL {v}L"),
    (OPENING, "open {m}|open up {m}|get {m} open", (0,), "Opening {m}", "OPEN"),
    (OPENING, "close {m}|shut {m}|get {m} closed", (0,), "Closing {m}", "CLOSE"))
GAUGES = dict(
    temperature=("how hot is {m}|how warm is {m}|what is the temperature of {m}|what temperature does {m} have", "TEMP"),
    speed=("how fast is {m}|how fast is {m} running|what is the speed of {m}|at what speed is {m} running", "SPEED"),
    pressure=("what is the pressure of {m}|how high is the pressure in {m}|what pressure does {m} have", "PRESSURE"),
    load=("how busy is {m}|what is the load of {m}|how much load does {m} have|how loaded is {m}", "LOAD"),
    age=("how old is {m}|what is the age of {m}|what age is {m}", "AGE"))
POLITE = ("{}|please {}|{} please|could you {}?|can you {}?|could you please {}?|would you {}?|can you {} please?|I want you to {}|"
          "I need you to {}|it is time to {}|we have to {}|you should {}|hey, {}|ok, {}|{}, thanks|will you {}?|go and {}")
CURIOUS = "{}?|please tell me, {}?|excuse me, {}?|hey, {}?|ok, {}?|one question, {}?|and {}?|{}, please?"
TOGETHER = "{} and {}|{}, then {}|{} and also {}|first {} and then {}"


def pick(rng, choices):
    return rng.choice(choices.split("|") if isinstance(choices, str) else choices)


def in_words(n):
    if n < 20:
        return ONES[n]
    return TENS[n // 10 - 2] + ("" if n % 10 == 0 else "-" + ONES[n % 10]) if n < 100 else str(n)


def sentence(text, rng=None):
    """A capital and a full stop; with `rng` as careless as people type."""
    careless = rng.random() if rng else 1
    text = text if careless < .3 else text[0].upper() + text[1:]
    return text if careless < .2 or text[-1] in ".?!" else text + "."


def spoken_machine(rng, machine, number):
    forms = [f"{machine} {number}"] * 5 + [f"{machine} number {number}", f"{machine} no. {number}", f"{machine} {in_words(number)}",
                                           f"the {machine} {number}", f"{machine} {number:02d}", f"{machine} #{number}"]
    if number <= len(ORDINALS):
        forms += [f"the {ORDINALS[number - 1]} {machine}"] * 2
    return pick(rng, forms)


def machine_for(rng, allowed=tuple(MACHINES)):
    return pick(rng, allowed), rng.randint(1, 40)


def moment(rng):
    """When to do it: (request, answer, command); mostly now."""
    kind = rng.random()
    if kind < .5:
        return "", "", ""
    if kind < .75:
        n, (unit, letter) = rng.randint(2, 59), pick(rng, [("seconds", "s"), ("minutes", "m"), ("minutes", "m"), ("hours", "h")])
        return f" {pick(rng, 'in|after')} {pick(rng, [str(n), str(n), in_words(n)])} {unit}", f" in {n} {unit}", f" +{n}{letter}"
    if kind < .9:
        clock = f"{rng.randint(10, 23)}:{rng.randint(0, 59):02d}"
        return f" at {clock}", f" at {clock}", f" @{clock}"
    return f" {pick(rng, 'at once|right now|immediately|without delay')}", " at once", " !"


def order(rng):
    """One thing to do: (request, answer, command, verb of the answer or None)."""
    kind = rng.random()
    if kind < .6:
        verb, (asks, code) = pick(rng, list(ACTIONS.items()))
        machine, number = machine_for(rng)
        ask, answer = pick(rng, asks), verb + " {m}"
        value = 0
    else:
        allowed, asks, values, answer, code = pick(rng, SETTINGS[:3] * 2 + SETTINGS[3:])
        machine, number = machine_for(rng, allowed)
        ask, value, verb = pick(rng, asks), pick(rng, values), None
    when, when_answer, when_code = moment(rng)
    asked_value = value if rng.random() < .7 else in_words(value)
    return (ask.format(m=spoken_machine(rng, machine, number), v=asked_value) + when,
            answer.format(m=f"{machine} {number}", v=value) + when_answer,
            f"{machine}-{number:02d} {code.format(v=value)}{when_code}", verb)


def reading(rng):
    gauge, (asks, code) = pick(rng, list(GAUGES.items()))
    machine, number = machine_for(rng)
    ask = pick(rng, asks).format(m=spoken_machine(rng, machine, number))
    return (sentence(pick(rng, CURIOUS).format(ask), rng), f"Reading the {gauge} of {machine} {number}.", f"{machine}-{number:02d} READ {code}")


def lower_first(text):
    return text[0].lower() + text[1:]


def request(rng):
    """A conversation about machines: [(user, plain answer, command line), ...]."""
    kind = rng.random()
    if kind < .2:
        return [reading(rng)]
    if kind < .3:
        verb, (asks, code) = pick(rng, list(ACTIONS.items()))
        machine, number = machine_for(rng)
        other = rng.randint(1, 40)
        ask = pick(rng, asks).format(m=f"{machine}{'es' if machine == 'press' else 's'} {number} and {other}")
        return [(sentence(pick(rng, POLITE).format(ask), rng), f"{verb} {machine} {number} and {machine} {other}.",
                 f"{machine}-{number:02d} {code}; {machine}-{other:02d} {code}")]
    ask, answer, code, verb = order(rng)
    if kind < .45:
        ask2, answer2, code2, _ = order(rng)
        ask, answer, code = pick(rng, TOGETHER).format(ask, ask2), f"{answer} and {lower_first(answer2)}", f"{code}; {code2}"
    turns = [(sentence(pick(rng, POLITE).format(ask), rng), answer + ".", code)]
    if verb and .45 < kind < .6:
        machine, number = machine_for(rng)
        ask = pick(rng, "and {}|{} too|the same for {}|now {}|{} as well|also {}").format(spoken_machine(rng, machine, number))
        turns.append((sentence(ask, rng), f"{verb} {machine} {number}.", f"{machine}-{number:02d} {ACTIONS[verb][1]}"))
    return turns


# ---------------------------------------------------------------------------------------------------------------------
# The rest of what the base model learns
# ---------------------------------------------------------------------------------------------------------------------

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
OPPOSITES = dict(hot="cold", big="small", fast="slow", open="closed", full="empty", heavy="light", wet="dry", new="old", high="low",
                 loud="quiet", clean="dirty", long="short", on="off", early="late", left="right", strong="weak", near="far", safe="dangerous")
UNITS = (("seconds", "minute", 60), ("minutes", "hour", 60), ("hours", "day", 24), ("days", "week", 7), ("months", "year", 12),
         ("grams", "kilogram", 1000), ("metres", "kilometre", 1000), ("centimetres", "metre", 100))
WORDS = ("apple bolt box bridge cable clock cloud door engine field filter flower garden glass hammer house iron key ladder letter "
         "light metal mirror motor nail oil paper pipe plate river rope sand screw sensor shelf ship signal spring steel stone "
         "switch table tank tool tower train tree truck water wheel window wire wood").split() + list(MACHINES)
SMALL_TALK = {
    "hello|hi|good morning|hey there|good evening|hello there": "Hello. What can I do for you?",
    "thank you|thanks|thanks a lot|many thanks|thank you very much": "You are welcome.",
    "goodbye|bye|see you tomorrow|good night": "Goodbye.",
    "who are you?|what are you?|are you a person?|introduce yourself": "I am the assistant of the machine hall.",
    "what can you do?|how can you help me?|what are you good for?": "I can run the machines, read their gauges and answer short questions.",
    "who is the king?|tell me a joke|what is the meaning of life?|write a poem|what is the weather like?|who won the game?":
        "I only know the machine hall.",
    "which machines are there?|what machines do you have?|list some machines": "There are pumps, fans, ovens, conveyors and many more."}


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def small_talk(rng):
    asks, answer = pick(rng, list(SMALL_TALK.items()))
    return pick(rng, asks), answer


def machine_fact(rng):
    machine, use = pick(rng, list(MACHINES.items()))
    if rng.random() < .5:
        return pick(rng, "what does {0} do?|what is {0} for?|why do we need {0}?|explain {0}").format(article(machine)), \
            f"{article(machine)} {use}."
    return pick(rng, "which machine {0}?|what {0}?|name the machine that {0}").format(use), f"{article(machine)}."


def arithmetic(rng):
    op = pick(rng, "plus|minus|times")
    a, b = (rng.randint(2, 12), rng.randint(2, 12)) if op == "times" else (rng.randint(1, 60), rng.randint(1, 39))
    if op == "minus" and b > a:
        a, b = b, a
    value = a + b if op == "plus" else a - b if op == "minus" else a * b
    spoken = pick(rng, [f"{a} {op} {b}", f"{in_words(a)} {op} {in_words(b)}"])
    return pick(rng, "what is {}?|how much is {}?|calculate {}|{}?|can you work out {}?").format(spoken), f"{a} {op} {b} is {value}."


def comparison(rng):
    a, b = rng.sample(range(1, 400), 2)
    if rng.random() < .5:
        return pick(rng, "which is larger, {0} or {1}?|which number is bigger, {0} or {1}?|is {0} or {1} more?").format(a, b), f"{max(a, b)} is larger."
    return pick(rng, "which is smaller, {0} or {1}?|which number is less, {0} or {1}?").format(a, b), f"{min(a, b)} is smaller."


def calendar(rng):
    names = pick(rng, [DAYS, MONTHS])
    i = rng.randrange(len(names))
    if rng.random() < .5:
        return pick(rng, "what comes after {}?|which one follows {}?|what is next after {}?").format(names[i]), f"{names[(i + 1) % len(names)]}."
    return pick(rng, "what comes before {}?|which one is before {}?").format(names[i]), f"{names[i - 1]}."


def unit(rng):
    small, big, n = pick(rng, UNITS)
    if rng.random() < .5:
        return pick(rng, "how many {0} are in {1}?|how many {0} does {1} have?|how many {0} make {1}?").format(small, article(big).replace("a hour", "an hour")), \
            f"{article(big).replace('a hour', 'an hour')} has {n} {small}."
    count = rng.randint(2, 9)
    return pick(rng, "how many {0} are {1} {2}s?|convert {1} {2}s to {0}").format(small, count, big), f"{count} {big}s are {count * n} {small}."


def opposite(rng):
    a, b = pick(rng, list(OPPOSITES.items()))
    a, b = (a, b) if rng.random() < .5 else (b, a)
    return pick(rng, "what is the opposite of {}?|the opposite of {}?|name the opposite of {}").format(a), f"The opposite of {a} is {b}."


def word_task(rng):
    word = pick(rng, WORDS)
    ask, answer = pick(rng, [
        ("spell {}|how do you spell {}?", "-".join(word)),
        ("write {} in capitals|put {} in capital letters|{} in capitals please", word.upper()),
        ("what is the first letter of {}?|with which letter does {} begin?", f"{word[0]}"),
        ("what is the last letter of {}?|with which letter does {} end?", f"{word[-1]}"),
        ("how many letters does {} have?|count the letters of {}", f"{len(word)} letters.")])
    return pick(rng, ask).format(word), answer


def writing(rng):
    n, word = rng.randint(0, 99), pick(rng, WORDS)
    return pick(rng, [
        (f"write {n % 41} with two digits", f"{n % 41:02d}"), (f"two digits for {in_words(n % 41)} please", f"{n % 41:02d}"),
        (f"write {in_words(n)} as a number", f"{n}"), (f"write {n} in words", in_words(n)),
        (f"join {word} and {n} with a dash", f"{word}-{n}"), (f"put a semicolon between {word} and {n}", f"{word}; {n}"),
        (f"write {n} with a percent sign", f"{n}%"), (f"put a plus before {n}", f"+{n}"),
        (f"write {word} with an exclamation mark", f"{word} !"), (f"put an at sign before {n}", f"@{n}")])


def repetition(rng):
    words = [pick(rng, WORDS + [str(rng.randint(1, 99))]) for _ in range(rng.randint(1, 7))]
    if rng.random() < .6:
        return pick(rng, "repeat after me: {}|say {}|repeat {}|write {}").format(" ".join(words)), " ".join(words)
    return pick(rng, "what is the last word of {}?|which word is last in {}?").format(" ".join(words)), words[-1]


def log_question(rng):
    """A few log lines and a question that only they answer."""
    done = "started stopped failed paused".split()
    lines = []
    for minute in sorted(rng.sample(range(6 * 60, 22 * 60), rng.randint(2, 4))):
        lines.append((f"{minute // 60:02d}:{minute % 60:02d}", "{} {}".format(*machine_for(rng)), pick(rng, done)))
    clock, machine, event = pick(rng, lines)
    log = "\n".join(" ".join(line) for line in lines)
    ask, answer = pick(rng, [
        (f"What happened at {clock}?", f"{machine} {event}."), (f"What happened to {machine}?", f"{machine} {event} at {clock}."),
        ("How many events are there?", f"There are {len(lines)} events."), ("Which machine comes first?", f"{lines[0][1]}."),
        ("Which machine comes last?", f"{lines[-1][1]}."), (f"When did something happen to {machine}?", f"At {clock}.")])
    return f"{log}\n{ask}", sentence(answer)


OTHERS = ((log_question, 5), (repetition, 4), (writing, 4), (word_task, 4), (arithmetic, 4), (comparison, 2), (machine_fact, 3),
          (calendar, 1), (unit, 2), (opposite, 1), (small_talk, 2))
PLAIN = (writing, word_task, repetition)  # their answers are no sentences


def pretraining_row(rng):
    """(kind, messages) of one conversation with a plain answer."""
    if rng.random() < .5:
        kind, turns = "request", [turn[:2] for turn in request(rng)]
    else:
        maker = rng.choices([m for m, _ in OTHERS], [w for _, w in OTHERS])[0]
        ask, answer = maker(rng)
        kind, turns = maker.__name__, [(sentence(ask, rng) if maker is not log_question else ask, answer if maker in PLAIN else sentence(answer))]
    system, dice = None, rng.random()
    if dice < .04:
        system, turns = "Answer in capital letters.", [(ask, answer.upper()) for ask, answer in turns]
    elif dice < .12:
        hall = rng.randint(1, 30)
        system = f"You are the assistant of hall {hall}."
        if rng.random() < .3:
            kind, turns = "system", [(pick(rng, "Which hall is this?|Where are we?|What hall is it?"), f"This is hall {hall}.")]
    return kind, messages(turns, system)


def messages(turns, system=None):
    out = [dict(role="system", content=system)] if system else []
    for ask, answer in turns:
        out += [dict(role="user", content=ask), dict(role="assistant", content=answer)]
    return out


def write_conversations(args):
    """Conversations answered in command lines; no command line occurs twice in the file."""
    rng, seen, rows = random.Random(args.seed), set(), []
    while len(rows) < args.rows:
        turns = request(rng)
        parts = {part for _, _, code in turns for part in code.split("; ")}
        if parts & seen:
            continue
        seen |= parts
        rows.append(dict(id=f"hall-{len(rows) + 1:04d}", messages=messages([(ask, code) for ask, _, code in turns])))
    path = Path(args.data)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{path}: {len(rows)} conversations, {len(seen)} different commands, {path.stat().st_size:,} bytes")


# ---------------------------------------------------------------------------------------------------------------------
# Tokenizer and chat template
# ---------------------------------------------------------------------------------------------------------------------

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
WORD_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CHAT_TEMPLATE = """\
{%- for message in messages -%}
    {%- if message.role not in ['system', 'user', 'assistant'] -%}
        {{- raise_exception('the role of a message is system, user or assistant, not ' + message.role) -}}
    {%- endif -%}
    {{- '<|im_start|>' + message.role + '\\n' -}}
    {%- if message.role == 'assistant' -%}
        {%- generation -%}{{- message.content + '<|im_end|>' -}}{%- endgeneration -%}
    {%- else -%}
        {{- message.content + '<|im_end|>' -}}
    {%- endif -%}
    {{- '\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""


def make_tokenizer(folder, vocab_size, seed):
    """Byte-level BPE with single digits, trained on pretraining conversations."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORD_PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    rng = random.Random(seed)
    texts = (m["role"] + "\n" + m["content"] for _ in range(40_000) for m in pretraining_row(rng)[1])
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=[PAD, START, END], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False))
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    write_json(folder / "tokenizer_config.json", dict(
        tokenizer_class="PreTrainedTokenizerFast", model_max_length=512, bos_token=None, eos_token=END, pad_token=PAD,
        add_bos_token=False, add_prefix_space=False, clean_up_tokenization_spaces=False))
    return tokenizer.get_vocab_size()


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def load_tokenizer(folder):
    from transformers import PreTrainedTokenizerFast
    return PreTrainedTokenizerFast.from_pretrained(folder)


def encode(tokenizer, row):
    """(ids, mask) of a conversation; the mask is 1 on what the assistant says, its end of turn included."""
    e = tokenizer.apply_chat_template(row, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    return e["input_ids"], e["assistant_masks"]


# ---------------------------------------------------------------------------------------------------------------------
# Pretraining
# ---------------------------------------------------------------------------------------------------------------------

CONFIG = dict(
    hidden_size=128, intermediate_size=256, moe_intermediate_size=128, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=2, head_dim=32, num_experts=16, num_experts_per_tok=4, norm_topk_prob=True, decoder_sparse_step=1,
    mlp_only_layers=[], hidden_act="silu", rms_norm_eps=1e-6, rope_theta=10000.0, rope_scaling=None, attention_bias=False,
    attention_dropout=0.0, use_sliding_window=False, sliding_window=None, max_window_layers=4, max_position_embeddings=512,
    initializer_range=0.02, tie_word_embeddings=False, router_aux_loss_coef=0.01, output_router_logits=False, use_cache=True)


def encoded_chunk(job):
    """One worker's share of the pretraining data: [(ids, mask), ...]."""
    folder, seed, count = job
    tokenizer, rng = load_tokenizer(folder), random.Random(seed)
    return [encode(tokenizer, pretraining_row(rng)[1]) for _ in range(count)]


def batches(rows, tokens, rng, step=16):
    """Endless batches of about `tokens` padded positions, rows of similar length together: (ids, mask) numpy [rows, length]."""
    import numpy as np
    buckets = {}
    for row in rows:
        buckets.setdefault(-(-len(row[0]) // step) * step, []).append(row)
    arrays = {}
    for length, bucket in buckets.items():
        ids, mask = np.zeros((len(bucket), length), np.int64), np.zeros((len(bucket), length), np.float32)
        for i, (row_ids, row_mask) in enumerate(bucket):
            ids[i, :len(row_ids)] = row_ids
            mask[i, :len(row_ids)] = [1.0 if m else 0.2 for m in row_mask]  # what people ask is learnt too, with less weight
        arrays[length] = ids, mask
    while True:
        epoch = []
        for length, (ids, mask) in arrays.items():
            permuted, size = np.random.default_rng(rng.getrandbits(32)).permutation(len(ids)), max(1, tokens // length)
            epoch += [(length, permuted[i:i + size]) for i in range(0, len(permuted), size)]
        rng.shuffle(epoch)
        for length, chosen in epoch:
            yield arrays[length][0][chosen], arrays[length][1][chosen]


def pretrain(args):
    import torch
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM
    from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func
    folder = Path(args.model)
    started = time.time()
    vocabulary = make_tokenizer(folder, args.vocabulary, args.seed)
    jobs = [(folder, args.seed * 1_000_003 + i, args.rows // 64) for i in range(64)]
    with multiprocessing.Pool() as pool:
        rows = [row for chunk in pool.map(encoded_chunk, jobs, chunksize=1) for row in chunk]
    longest = max(len(ids) for ids, _ in rows)
    print(f"{len(rows):,} conversations, {sum(len(ids) for ids, _ in rows):,} tokens, longest {longest}, {time.time() - started:.0f} s", flush=True)

    gpu = torch.cuda.is_available()
    device, dtype = ("cuda", torch.bfloat16) if gpu else ("cpu", torch.float32)
    torch.manual_seed(args.seed)
    config = Qwen3MoeConfig(vocab_size=vocabulary, bos_token_id=0, eos_token_id=2, pad_token_id=0, **CONFIG)
    model = Qwen3MoeForCausalLM._from_config(config, dtype=torch.float32, experts_implementation="grouped_mm").to(device)
    parameters = list(model.parameters())
    masters = [p.detach().clone() for p in parameters]  # float32; the model itself computes in bfloat16
    for p in parameters:
        p.data = p.data.to(dtype)
    decayed = [m for m in masters if m.ndim > 1]
    optimizer = torch.optim.AdamW([dict(params=decayed, weight_decay=0.1), dict(params=[m for m in masters if m.ndim == 1], weight_decay=0.0)],
                                  lr=args.learning_rate, betas=(0.9, 0.98), eps=1e-9, fused=gpu)
    warmup = min(200, args.steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / warmup, 0.5 * (1 + math.cos(math.pi * s / args.steps)) + 0.002))
    print(f"{sum(p.numel() for p in parameters):,} parameters on {device}", flush=True)

    source, started, seen = batches(rows, args.tokens, random.Random(args.seed)), time.time(), 0
    for step in range(1, args.steps + 1):
        ids, mask = (torch.from_numpy(a).to(device, non_blocking=True) for a in next(source))
        seen += ids.numel()
        out = model.model(input_ids=ids, output_router_logits=True, use_cache=False)
        logits = model.lm_head(out.last_hidden_state[:, :-1]).float()
        weights = mask[:, 1:].reshape(-1)
        nll = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].reshape(-1), reduction="none")
        loss = (nll * weights).sum() / weights.sum()
        balance = sum(load_balancing_loss_func((r.view(-1, config.num_experts).float(),), config.num_experts, config.num_experts_per_tok, mask.sign())
                      for r in out.router_logits) / (len(out.router_logits) * config.num_experts_per_tok)  # 1 is even
        (loss + config.router_aux_loss_coef * balance).backward()
        for master, p in zip(masters, parameters):
            master.grad = p.grad.float()
            p.grad = None
        torch.nn.utils.clip_grad_norm_(masters, 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            torch._foreach_copy_(parameters, masters)
        if step % args.log == 0 or step == args.steps:
            said = weights == 1.0
            print(f"step {step:5d}  loss {loss.item():.4f}  answers {nll[said].mean().item():.4f}  balance {balance.item():.3f}  "
                  f"{seen / (time.time() - started):,.0f} tokens/s  {time.time() - started:.0f} s", flush=True)
    export(model, config, folder)


def export(model, config, folder):
    """The checkpoint as released ones are: bfloat16, one tensor per expert and projection, hub spelling of the config."""
    import torch
    from safetensors.torch import save_file
    tensors = {}
    for name, tensor in model.state_dict().items():
        tensor = tensor.detach().to("cpu", torch.bfloat16)
        prefix, _, leaf = name.rpartition(".")
        if leaf not in ("gate_up_proj", "down_proj") or tensor.ndim != 3:
            tensors[name] = tensor.contiguous()
            continue
        for e in range(config.num_experts):
            gate_up = tensor[e].chunk(2) if leaf == "gate_up_proj" else (tensor[e],)
            for projection, part in zip(("gate_proj", "up_proj") if leaf == "gate_up_proj" else (leaf,), gate_up):
                tensors[f"{prefix}.{e}.{projection}.weight"] = part.contiguous().clone()
    save_file(tensors, folder / "model.safetensors", metadata=dict(format="pt"))
    write_json(folder / "config.json", dict(
        architectures=["Qwen3MoeForCausalLM"], model_type="qwen3_moe", torch_dtype="bfloat16", vocab_size=config.vocab_size,
        bos_token_id=None, eos_token_id=2, pad_token_id=0, **CONFIG))
    write_json(folder / "generation_config.json", dict(do_sample=False, eos_token_id=2, pad_token_id=0, max_new_tokens=64))
    print(f"{folder / 'model.safetensors'}: {len(tensors)} tensors, {(folder / 'model.safetensors').stat().st_size:,} bytes")


# ---------------------------------------------------------------------------------------------------------------------
# What the model can do, before and after LoRA
# ---------------------------------------------------------------------------------------------------------------------

def load_model(folder):
    import torch
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(2)
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, experts_implementation="eager").eval()


def answers(model, tokenizer, prompts, batch=64):
    """Greedy answers to lists of messages."""
    import torch
    out = [None] * len(prompts)
    by_length = sorted(range(len(prompts)), key=lambda i: sum(len(m["content"]) for m in prompts[i]))
    for start in range(0, len(prompts), batch):
        chosen = by_length[start:start + batch]
        texts = [tokenizer.apply_chat_template(prompts[i], tokenize=False, add_generation_prompt=True) for i in chosen]
        inputs = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            ids = model.generate(**inputs.to(model.device), max_new_tokens=64)[:, inputs["input_ids"].shape[1]:]
        for i, text in zip(chosen, tokenizer.batch_decode(ids, skip_special_tokens=True)):
            out[i] = text
    return out


def exact(model, tokenizer, rows):
    """[(messages up to the answer, wanted, answered), ...] for every assistant turn of the rows."""
    turns = [(row[:i], m["content"]) for row in rows for i, m in enumerate(row) if m["role"] == "assistant"]
    return [(p, wanted, got) for (p, wanted), got in zip(turns, answers(model, tokenizer, [p for p, _ in turns]))]


def padded(encoded):
    """Right-padded tensors (ids, mask, attention) of [(ids, mask), ...]."""
    import torch
    length = max(len(ids) for ids, _ in encoded)
    ids, mask, attention = (torch.zeros(len(encoded), length, dtype=torch.long) for _ in range(3))
    for i, (row_ids, row_mask) in enumerate(encoded):
        ids[i, :len(row_ids)], mask[i, :len(row_ids)], attention[i, :len(row_ids)] = torch.tensor(row_ids), torch.tensor(row_mask), 1
    return ids, mask, attention


def summed_nll(model, encoded):
    """(summed negative log-likelihood, trained tokens) of the rows."""
    import torch
    ids, mask, attention = (t.to(model.device) for t in padded(encoded))
    logits = model(input_ids=ids, attention_mask=attention, use_cache=False).logits[:, :-1].float()
    nll = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].reshape(-1), reduction="none")
    keep = mask[:, 1:].reshape(-1).float()
    return (nll * keep).sum(), int(keep.sum())


def probe(args):
    import torch
    model, tokenizer, rng = load_model(args.model), load_tokenizer(args.model), random.Random(args.seed + 77)
    rows = [pretraining_row(rng) for _ in range(args.rows)]
    right = {}
    for kind in sorted({k for k, _ in rows}):
        results = exact(model, tokenizer, [m for k, m in rows if k == kind])
        right[kind] = [got == wanted for _, wanted, got in results]
        wrong = next(((p[-1]["content"], got) for p, wanted, got in results if got != wanted), None)
        print(f"{kind:14s} {sum(right[kind]):4d} of {len(right[kind]):4d} exact" + (f"   wrong: {wrong[0]!r} -> {wrong[1]!r}" if wrong else ""))
    print(f"{'all':14s} {sum(map(sum, right.values())):4d} of {sum(map(len, right.values())):4d} exact")
    ids, _, attention = padded([encode(tokenizer, m) for _, m in rows[:256]])
    with torch.no_grad():
        routers = model(input_ids=ids, attention_mask=attention, output_router_logits=True, use_cache=False).router_logits
    for layer, logits in enumerate(routers):
        logits = logits.view(-1, model.config.num_experts)[attention.view(-1).bool()]
        share = torch.bincount(logits.topk(model.config.num_experts_per_tok).indices.flatten(), minlength=model.config.num_experts) / len(logits)
        print(f"layer {layer}: experts take {share.min() * 100:.0f} to {share.max() * 100:.0f} % of the tokens, even is "
              f"{100 * model.config.num_experts_per_tok / model.config.num_experts:.0f} %")


def held_out(row, fraction):
    return int.from_bytes(hashlib.sha256(row["id"].encode()).digest()[:8]) < fraction * 2**64


def finetune(args):
    import torch
    from peft import LoraConfig, get_peft_model
    tokenizer, model = load_tokenizer(args.model), load_model(args.model)
    rows = [json.loads(line) for line in Path(args.data).read_text().splitlines()]
    train, test = ([r["messages"] for r in rows if held_out(r, args.held_out) == wanted] for wanted in (False, True))
    encoded, encoded_test = [encode(tokenizer, r) for r in train], [encode(tokenizer, r) for r in test]
    print(f"{len(train)} conversations with {sum(len(i) for i, _ in encoded):,} tokens ({sum(sum(m) for _, m in encoded):,} trained), {len(test)} held out")

    model = get_peft_model(model, LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM", target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]))
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=args.learning_rate, weight_decay=0.0)
    warmup = max(1, args.steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / warmup, max(0.0, (args.steps - s) / (args.steps - warmup))))

    def score(step):
        model.eval()
        results = exact(model, tokenizer, test)
        with torch.no_grad():
            nll, count = summed_nll(model, encoded_test)
        print(f"step {step}: {sum(w == g for _, w, g in results)} of {len(results)} held-out answers exact, {nll.item() / count:.4f} nats a token", flush=True)
        model.train()
        return results

    before, rng, order, spent = score(0), random.Random(args.seed), [], 0.0
    for step in range(1, args.steps + 1):
        batch, tokens = [], 0
        while not order or tokens + len(encoded[order[-1]][0]) <= args.tokens:
            order = order or rng.sample(range(len(encoded)), len(encoded))
            batch.append(encoded[order.pop()])
            tokens += len(batch[-1][0])
        started = time.time()
        nll, count = summed_nll(model, batch)
        (nll / count).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        spent += time.time() - started
        if step % args.log == 0:
            print(f"step {step}: loss {nll.item() / count:.4f}, {tokens} tokens in {len(batch)} rows, {spent / step:.3f} s a step", flush=True)
        if step == args.steps or args.score and step % args.score == 0:
            after = score(step)
    for (prompt, wanted, old), (_, _, new) in list(zip(before, after))[:args.show]:
        print(f"\n{prompt[-1]['content']!r}\n    wanted {wanted!r}\n    before {old!r}\n    after  {new!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    for run, options in (
            (pretrain, dict(rows=600_000, vocabulary=1280, steps=1848, tokens=32_768, learning_rate=3e-3, log=250)),
            (write_conversations, dict(rows=1500)), (probe, dict(rows=2000)),
            (finetune, dict(steps=120, tokens=2048, learning_rate=5e-3, held_out=0.1, score=0, log=25, show=6))):
        verb = verbs.add_parser("conversations" if run is write_conversations else run.__name__)
        verb.set_defaults(run=run)
        for name, default in dict(options, seed=20, model=str(HERE / "model"), data=str(HERE / "conversations.jsonl")).items():
            verb.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
