/**
 * Drops files and folders of this machine on the page, as the desktop does.
 * @param {import('playwright-core').Page} page
 * @param {string[]} paths
 */
export async function drop(page, paths) {
  const { width, height } = page.viewportSize();
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await session.send('Input.dispatchDragEvent', { type, x: width / 2, y: height / 2, data });
  }
  await session.detach();
}
