// The dashboard in a real browser, as people use it. Started by tests/browser.rs with the page's address, where
// the packages are, and a folder for screenshots; says `more` when it waits for more tweets, and ends with 1 and
// the reason if something is not as it should be.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [url, packages, folder] = process.argv.slice(2);
const require = createRequire(`${packages}/`);
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const api = async (path) => (await fetch(`${url}api/${path}`)).json();

/// A page that must not complain, nor ask anybody else.
async function open({ width = 1280, height = 800, path = '', ...options } = {}) {
  // The content security policy forbids what axe does.
  const context = await browser.newContext({ viewport: { width, height }, bypassCSP: options.audited, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && page.complaints.push(message.text()));
  page.on('pageerror', (error) => page.complaints.push(error.message));
  page.on('dialog', (dialog) => page.complaints.push(`a dialog: ${dialog.message()}`));
  page.on('request', (request) => {
    const isOurs = request.url().startsWith(url) || request.url().startsWith('data:');
    if (!isOurs) page.complaints.push(`asked ${request.url()}`);
  });
  await page.goto(url + path);
  await page.waitForSelector('#panels[aria-busy="false"]', { state: 'attached' });
  return page;
}

async function close(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

/// What axe finds of the rules for accessibility that the page breaks.
async function audit(page) {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const { violations } = await page.evaluate((tags) => axe.run({ runOnly: tags }), tags);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).slice(0, 3)}`);
}

const headline = (page) => page.locator('#headline strong').textContent();
const counted = (n) => `${n.toLocaleString('en')} tweet${n === 1 ? '' : 's'}`;

/// Waits until the page says that so many tweets match.
async function shows(page, path) {
  const { count } = await api(`summary?${path}`);
  await page.locator('#headline strong', { hasText: counted(count) }).waitFor({ timeout: 10000 });
  return count;
}

const tests = {
  async 'the first screen answers the question, at every width'() {
    for (const width of [360, 768, 1280, 1920]) {
      for (const colorScheme of ['light', 'dark']) {
        const page = await open({ width, height: width === 1920 ? 1080 : 800, colorScheme, audited: true });
        await page.locator('.answer', { hasText: 'AWS is mentioned most' }).waitFor();
        const overflow = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `${width} px: ${overflow} px too wide`);
        await page.waitForTimeout(300);
        await page.screenshot({ path: `${folder}/${width}-${colorScheme}.png` });
        await page.click('#more');
        await page.addScriptTag({ path: axe });
        assert.deepEqual(await audit(page), [], `${width} px, ${colorScheme}`);
        await page.click('#marketplaces .market >> nth=1');
        await shows(page, 'marketplace=Azure');
        // The bar stays in view, above whatever is scrolled below it.
        await page.evaluate(() => scrollTo(0, 0));
        await page.waitForTimeout(300);
        assert.deepEqual(await audit(page), [], `filtered, ${width} px, ${colorScheme}`);
        await close(page);
      }
    }
  },

  async 'everything filters everything, and the address holds it'() {
    const page = await open();
    const all = await shows(page, '');
    await page.click('#marketplaces .market >> nth=0');
    await shows(page, 'marketplace=AWS');
    assert.match(page.url(), /marketplace=AWS/);
    await page.click('#hashtags .row >> nth=0');
    const tag = await page.locator('#hashtags .row >> nth=0').getAttribute('data-key');
    await shows(page, `marketplace=AWS&q=%23${tag}`);
    await page.reload();
    await shows(page, `marketplace=AWS&q=%23${tag}`);
    assert.equal(await page.inputValue('#q'), `#${tag}`);
    await page.goBack();
    await shows(page, 'marketplace=AWS');
    await page.click('#chips .chip >> nth=0');
    assert.equal(await shows(page, ''), all);
    await page.click('#hours button[data-key="3-9"]');
    await shows(page, 'weekday=3&hour=9');
    await page.click('#chips .all');
    await page.click('#timeline .legend button >> nth=3');
    await shows(page, 'sentiment=negative');
    await page.click('#more');
    await page.selectOption('select[data-key="lang"]', 'en');
    await shows(page, 'sentiment=negative&lang=en');
    await page.fill('#q', 'cloud');
    await shows(page, 'sentiment=negative&lang=en&q=cloud');
    await close(page);
  },

  async 'the timeline is chosen from by pointer and by keys'() {
    const page = await open();
    await page.locator('svg.timeline').scrollIntoViewIfNeeded();
    const box = await page.locator('svg.timeline').boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 60);
    await page.mouse.up();
    await page.waitForURL(/from=.*to=/);
    const chosen = new URL(page.url()).searchParams;
    await shows(page, `from=${chosen.get('from')}&to=${chosen.get('to')}`);
    await page.locator('svg.timeline').focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    const told = await page.locator('svg.timeline').getAttribute('aria-valuetext');
    await page.keyboard.press('Enter');
    await page.locator('#headline strong', { hasText: told.match(/: ([\d,]+ tweets?)/)[1] }).waitFor();
    await close(page);
  },

  async 'the map zooms, filters, and shows single tweets'() {
    const page = await open();
    await page.locator('.cluster').first().waitFor();
    const asked = page.waitForResponse(/api\/map/);
    await page.click('.leaflet-control-zoom-in');
    await page.click('.leaflet-control-zoom-in');
    await asked;
    await page.locator('.cluster').first().focus();
    await page.locator('.leaflet-marker-icon').first().press('Enter');
    await page.waitForURL(/bbox=/);
    await shows(page, `bbox=${new URL(page.url()).searchParams.get('bbox')}`);
    await page.getByText('Show the whole world').click();
    await shows(page, '');
    await close(page);

    const one = await open({ path: '?q=antimeridian' });
    // They are one circle, that of both sides of the antimeridian.
    await one.locator('.leaflet-marker-icon').click();
    await one.waitForURL(/bbox=1.*,-1/);
    await one.locator('.leaflet-marker-icon', { hasText: '2' }).waitFor();
    await one.waitForTimeout(500);
    await one.locator('.leaflet-marker-icon').click();
    await one.locator('.leaflet-popup .tweet', { hasText: 'antimeridian' }).nth(1).waitFor();
    assert.equal(await shows(one, 'q=antimeridian'), 2);
    await close(one);
  },

  async 'where nothing has a location, a line says so in place of the map'() {
    const page = await open({ path: '?q=nowhere' });
    await page.getByText('No tweets with a location').waitFor();
    assert.ok(!(await page.locator('#map').isVisible()) && !(await page.locator('#map-foot').isVisible()));
    await close(page);
  },

  async 'what tweets say stays text'() {
    const page = await open({ path: '?q=markup' });
    const tweet = page.locator('#tweets .tweet').first();
    await tweet.waitFor();
    assert.match(await tweet.textContent(), /<img src=x onerror=alert\(1\)>/);
    assert.match(await tweet.textContent(), /<script>alert\(2\)<\/script>/);
    assert.equal(await page.locator('main img, main script, a[href^="javascript"]').count(), 0);
    await close(page);
  },

  async 'tabs and pages go on where they ended'() {
    const page = await open({ path: '?q=cloud' });
    await page.locator('#tab-top').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.locator('#tab-positive[aria-selected="true"]').waitFor();
    await page.locator('#tweets .tweet').nth(19).waitFor();
    await page.click('#tweets .more');
    await page.locator('#tweets .tweet').nth(39).waitFor();
    const links = await page.locator('#tweets .tweet footer a').evaluateAll((all) => all.map(({ href }) => href));
    assert.equal(new Set(links).size, links.length);
    const { tweets } = await api('tweets?q=cloud&sort=positive&limit=40');
    assert.deepEqual(links, tweets.map(({ url }) => url));
    await close(page);
  },

  async 'nothing found says why, and the way out'() {
    const page = await open({ path: '?last=24h&q=cloud' });
    await page.getByText('No tweets match').waitFor();
    await page.getByText('Show all the time there is').click();
    await shows(page, 'q=cloud');
    await close(page);
    const wrong = await open({ path: '?hour=99' });
    await wrong.getByText('This cannot be asked').waitFor();
    await wrong.getByText('Remove all filters').click();
    await shows(wrong, '');
    // The browser itself tells of an answer of 400.
    wrong.complaints = [];
    await close(wrong);
  },

  async 'new tweets appear by themselves, and disturb nobody'() {
    const page = await open({ path: '?tab=newest' });
    await page.click('#tweets .more');
    await page.locator('#tweets .tweet').nth(29).waitFor();
    const before = await headline(page);
    await page.locator('#hashtags .row >> nth=2').focus();
    const tag = await page.evaluate(() => document.activeElement.dataset.key);
    console.log('more');
    await page.waitForFunction((text) => document.querySelector('#headline strong').textContent !== text, before, { timeout: 20000 });
    await shows(page, '');
    assert.equal(await page.evaluate(() => document.activeElement.dataset.key), tag);
    assert.equal(await page.locator('#tweets .tweet').count(), 30, 'what is being read stays');
    await close(page);
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    console.log(`ok: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}\n${error.stack}`);
  }
}
await browser.close();
process.exit(failed > 0 ? 1 : 0);
