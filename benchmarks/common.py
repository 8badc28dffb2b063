"What the benchmarks share: a record of the machine, and the results folder."
import datetime, json, platform, sys
from pathlib import Path

import torch
import gan_course

root = Path(__file__).resolve().parent.parent
results = root/'gan_course'/'results'


def cpu_name():
    try: return next(l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name'))
    except (OSError, StopIteration): return platform.processor() or platform.machine()


def save(name, **values):
    "Write gan_course/results/NAME.json with the command, the hardware, the versions and the date."
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    record = dict(command='python ' + ' '.join([f'benchmarks/{Path(sys.argv[0]).name}', *sys.argv[1:]]), date=datetime.date.today().isoformat(),
                  hardware=dict(cpu=cpu_name(), instructions=torch.backends.cpu.get_cpu_capability(), threads=torch.get_num_threads(), gpu=gpu),
                  versions=dict(gan_course=gan_course.__version__, torch=torch.__version__, python=platform.python_version()), **values)
    results.mkdir(exist_ok=True)
    (results/f'{name}.json').write_text(json.dumps(record, indent=1) + '\n')
    print(json.dumps(record, indent=1))
