"The figures that move do move, in a real browser and without a kernel. What needs Chrome or Chromium is skipped where there is none."
import json, re, shutil, subprocess
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
names = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome')
browser = next((b for b in map(shutil.which, names) if b), None)

# What a reader does: drag the slider to the first frame, then press the button; what is drawn is written into the page
SCRIPT = '''
const figures = [...document.querySelectorAll("div[role=group]")].map(f => {
  const slider = f.querySelector("input");
  const look = () => [...f.querySelectorAll("[id]")].map(e => e.getAttribute("d") || e.getAttribute("href")).join("|");
  const last = look();
  slider.value = 0; slider.dispatchEvent(new Event("input"));
  const first = look(), name = f.querySelector("output").textContent;
  slider.value = slider.max; slider.dispatchEvent(new Event("input"));
  const again = look();
  f.querySelector("button").click();
  return {frames: +slider.max + 1, moved: first != last, back: again == last, name: name,
          label: f.getAttribute("aria-label"), playing: f.querySelector("button").textContent, f: f};
});
setTimeout(() => {
  for (const o of figures) { o.played = +o.f.querySelector("input").value; delete o.f; }
  const out = document.createElement("pre"); out.id = "report"; out.textContent = JSON.stringify(figures); document.body.append(out);
}, 1500);
'''


def figures_of(page):
    "The HTML of the moving figures that are stored in a page."
    found = []
    for cell in json.loads(page.read_text())['cells']:
        for o in cell.get('outputs', []):
            text = ''.join(o.get('data', {}).get('text/html', ''))
            if 'role="group"' in text: found.append(text)
    return found


@pytest.mark.skipif(not browser, reason='no Chrome or Chromium')
@pytest.mark.parametrize('page', ['api/animation.ipynb', '1_foundations/01_background.ipynb'])
def test_figures_play(page, tmp_path):
    stored = figures_of(root/'nbs'/page)
    assert stored
    html = tmp_path/'page.html'
    html.write_text('<!doctype html><meta charset="utf-8"><body>' + ''.join(stored) + f'<script>{SCRIPT}</script>', encoding='utf-8')
    out = subprocess.run([browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
                          '--disable-background-networking', '--disable-component-update', '--disable-sync',
                          f'--user-data-dir={tmp_path/"profile"}', '--virtual-time-budget=4000', '--dump-dom', html.as_uri()],
                         capture_output=True, text=True, timeout=120)
    report = re.search(r'<pre id="report">(.*?)</pre>', out.stdout, re.S)
    assert report, out.stderr[-2000:]
    figures = json.loads(report[1])
    assert len(figures) == len(stored)
    for f in figures:
        assert f['moved'] and f['back'] and f['label'] and f['name'], f
        assert 'Pause' in f['playing'] and 0 < f['played'] < f['frames'], f      # from the last frame Play starts over, and is under way


def test_no_figure_asks_the_network():
    for page in (root/'nbs').rglob('*.ipynb'):
        if '.ipynb_checkpoints' in page.parts: continue
        for figure in figures_of(page): assert not re.search(r'(src|href)="(?!data:)', figure) and len(figure) < 2**20
