"""Prints what Python `tokenizers` makes of one text or two, without padding and truncation, as one JSON object.

python tokens.py TOKENIZER.json TEXT [PAIR]
"""

import json
import sys

from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
tokenizer.no_padding()
tokenizer.no_truncation()
encoded = tokenizer.encode(*sys.argv[2:])
print(json.dumps({"ids": encoded.ids, "tokens": encoded.tokens, "types": encoded.type_ids}))
