"""A headless Chromium that is driven by chromedriver, and the helpers of the checks to look at the page."""

import json
import shutil
import time
from contextlib import contextmanager

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

# Seconds to wait for a condition: the machine may be busy.
PATIENCE = 30.0


class Failed(Exception):
    """A check found something else than it expects."""


@contextmanager
def chromium():
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    # The sandbox of Chromium does not start as root, and containers have a small /dev/shm.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--lang=en",
                     "--window-size=1280,860"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    def __init__(self, driver: Chrome):
        self.driver = driver
        self._scripts: list[str] = []

    def open(self, url: str):
        """Opens a page of a server whose storage is still empty: each server has an origin of its own."""
        # Through an empty page: an address that differs in its fragment only would load nothing.
        self.driver.get("about:blank")
        self.driver.get(url)

    def run(self, code: str, *arguments):
        return self.driver.execute_script(code, *arguments)

    def until(self, what: str, code: str, *arguments, patience: float = PATIENCE):
        """Waits until JavaScript returns something true, and returns that."""
        limit = time.monotonic() + patience
        while time.monotonic() < limit:
            if value := self.run(code, *arguments):
                return value
            time.sleep(0.02)
        raise Failed(f"waited {patience:.0f} s in vain: {what}; the page says: {self.page_text()[-300:]!r}")

    def page_text(self) -> str:
        return self.run("return document.querySelector('#log')?.innerText ?? document.body?.innerText ?? ''")

    def command(self, name: str, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    @contextmanager
    def script_in_pages(self, code: str):
        """Runs a script in each page that is opened, before the page's own."""
        identifier = self.command("Page.addScriptToEvaluateOnNewDocument", source=code)["identifier"]
        try:
            yield
        finally:
            self.command("Page.removeScriptToEvaluateOnNewDocument", identifier=identifier)

    @contextmanager
    def screen(self, width: int, height: int, phone: bool = False, scale: int = 1, dark: bool = False):
        """Another size of the window, and another color scheme."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone)
        scheme = "dark" if dark else "light"
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        try:
            yield
        finally:
            self.command("Emulation.clearDeviceMetricsOverride")
            self.command("Emulation.setEmulatedMedia", features=[])

    def key(self, *keys: str):
        self.driver.switch_to.active_element.send_keys(*keys)

    def send(self, prompt: str):
        field = self.driver.find_element(By.ID, "prompt")
        field.send_keys(prompt)
        field.send_keys(Keys.ENTER)

    def click(self, selector: str):
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def answer(self) -> str:
        """The text of the last answer."""
        return self.run("return [...document.querySelectorAll('.message.assistant > .markdown')].at(-1)?.textContent ?? ''")

    def await_start(self):
        self.until("an answer begins", "return [...document.querySelectorAll('.message.assistant > .markdown')].at(-1)?.textContent")

    def await_end(self, patience: float = PATIENCE):
        """Waits until the last answer has ended, and returns its text."""
        self.until("the answer ends", """
            const last = document.querySelector('.message:last-child');
            return last?.classList.contains('assistant') && last.querySelector('.actions') && document.querySelector('#stop').hidden;
            """, patience=patience)
        return self.answer()

    def stored(self) -> list[dict]:
        """The conversations in the page's storage, the newest first."""
        texts = self.run("return Object.entries(localStorage).filter(([key]) => key.startsWith('moonrill:chat:')).map(([, text]) => text)")
        return sorted((json.loads(text) for text in texts), key=lambda chat: -chat["updated"])

    def logged(self) -> list[str]:
        """Console messages since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self) -> list[str]:
        """Addresses that were requested since the last call, without those in the page itself."""
        addresses = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                addresses.append(message["params"]["request"]["url"])
        return [address for address in addresses if not address.startswith(("data:", "blob:", "about:"))]
