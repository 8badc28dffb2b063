"""How fast is the game that trains in the page? Pictures and steps per second, in headless Chromium, while it plays for five seconds.

usage: python benchmarks/frames.py [--seconds 5]
"""
import argparse, http.server, json, shutil, subprocess, tempfile
from pathlib import Path

from common import save
from gan_course.widgets import game_widget

PLAY = '''
const root = document.querySelector(".widget"), found = [];
async function all() {
  for (const speed of [1, 3, 10]) {
    root.querySelector("[name=speed]").value = speed;
    root.querySelector("[name=play]").click();
    const [frames, start] = [root.game.frames(), performance.now()];
    await new Promise(done => setTimeout(done, 1000*SECONDS));
    found.push({steps_per_picture: speed, pictures_per_second: 1000*(root.game.frames() - frames)/(performance.now() - start)});
    root.querySelector("[name=play]").click();
  }
  await fetch("/", {method: "POST", body: JSON.stringify(found)});
}
all();'''

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seconds', type=float, default=5)
    a = p.parse_args()
    page = ('<!doctype html><meta charset="utf-8"><body>' + game_widget().data +
            f'<script>{PLAY.replace("SECONDS", str(a.seconds))}</script>').encode()
    answers = []
    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(page)
        def do_POST(self):
            answers.append(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
            self.send_response(200); self.end_headers()
        def log_message(self, *args): pass
    server = http.server.HTTPServer(('127.0.0.1', 0), Server)
    browser = next(b for b in map(shutil.which, ('chromium', 'google-chrome', 'chrome')) if b)
    with tempfile.TemporaryDirectory() as home:
        options = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', f'--user-data-dir={home}']
        shown = subprocess.Popen([browser, *options, f'http://127.0.0.1:{server.server_port}/'],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not answers: server.handle_request()
        shown.kill(); shown.wait()
    version = subprocess.run([browser, '--version'], capture_output=True, text=True).stdout.strip()
    save('frames', browser=version, seconds=a.seconds, rows=answers[0])
