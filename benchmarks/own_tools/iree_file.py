"""Where the file lies that IREE's adapter runs, compiled now if it never was; prints one line of JSON.

Runs in IREE's environment. Arguments: the adapter's folder, and the job as JSON: {model, settings, inputs, seconds}.
"""

import json
import sys


def main():
    folder, job = sys.argv[1], json.loads(sys.argv[2])
    sys.path.insert(0, folder)
    from adapter import flags
    from compiling import ENTRY, compiled

    print(json.dumps({"path": compiled(job["model"], flags(job["settings"])), "function": ENTRY}))


main()
