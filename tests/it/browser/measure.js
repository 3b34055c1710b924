(() => {
  const wrong = [];
  const root = document.documentElement;
  const width = root.clientWidth;
  if (root.scrollWidth > width) wrong.push(`the page scrolls sideways: ${root.scrollWidth} > ${width}`);
  const visible = (element) => element.checkVisibility({ contentVisibilityAuto: true }) && element.getClientRects().length > 0;
  const brief = (element) => `<${element.tagName} ${element.getAttribute("class") ?? ""}> ${element.textContent.trim().slice(0, 50)}`;

  for (const element of document.body.querySelectorAll("*")) {
    if (!visible(element) || element.closest("svg") || element.closest("pre")) continue;
    const box = element.getBoundingClientRect();
    if (box.right > width + 0.5 || box.left < -0.5) wrong.push(`beyond the page: ${brief(element)}`);
  }

  // a box that scrolls by itself must be reachable by keyboard
  for (const pre of document.querySelectorAll("pre")) {
    if (visible(pre) && pre.scrollWidth > pre.clientWidth && pre.tabIndex < 0) wrong.push(`not reachable: ${brief(pre)}`);
  }

  let level = 0;
  for (const heading of document.querySelectorAll("h1,h2,h3,h4")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) wrong.push(`h${level} is followed by h${next}: ${brief(heading)}`);
    level = next;
  }

  const drawings = [...document.querySelectorAll("svg")].filter(visible);
  if (document.querySelector("figure") && drawings.length !== 1) wrong.push(`${drawings.length} drawings are visible`);
  for (const svg of drawings) {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")];
    const boxes = texts.map((text) => [text, text.getBoundingClientRect()]);
    for (const [text, box] of boxes) {
      if (box.right > frame.right + 0.5 || box.left < frame.left - 0.5 || box.bottom > frame.bottom + 0.5 || box.top < frame.top - 0.5)
        wrong.push(`outside of the drawing: ${text.textContent}`);
      const size = parseFloat(getComputedStyle(text).fontSize) * scale;
      if (size < (window.SMALLEST ?? 9.9)) wrong.push(`text of ${size.toFixed(1)} px: ${text.textContent}`);
    }
    for (const part of svg.querySelectorAll(".part")) {
      const own = part.querySelector(":scope > .box").getBoundingClientRect();
      for (const text of part.querySelectorAll("text")) {
        const box = text.getBoundingClientRect();
        if (box.left < own.left || box.right > own.right || box.top < own.top || box.bottom > own.bottom)
          wrong.push(`out of its box: ${text.textContent}`);
      }
    }
    for (const pill of svg.querySelectorAll(".pill")) {
      const own = pill.getBoundingClientRect();
      const box = pill.parentNode.querySelector("text").getBoundingClientRect();
      if (box.left < own.left + 1 || box.right > own.right - 1) wrong.push(`wider than its pill: ${pill.parentNode.textContent}`);
    }
    for (let i = 0; i < boxes.length; i++)
      for (let j = i + 1; j < boxes.length; j++) {
        const [a, b] = [boxes[i][1], boxes[j][1]];
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        // line boxes touch; letters do not
        if (across > 0.5 && down > 3) wrong.push(`on each other: ${boxes[i][0].textContent} / ${boxes[j][0].textContent}`);
      }
    const inner = [...svg.querySelectorAll(".part > .box")].map((box) => box.getBoundingClientRect());
    for (let i = 0; i < inner.length; i++)
      for (let j = i + 1; j < inner.length; j++) {
        const [a, b] = [inner[i], inner[j]];
        const crosses = a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
        const within = (x, y) => x.left >= y.left && x.right <= y.right && x.top >= y.top && x.bottom <= y.bottom;
        if (crosses && !within(a, b) && !within(b, a)) wrong.push("two boxes lie across each other");
      }
  }

  const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const [, , , alpha] = channels(colour);
      if (alpha === undefined || alpha === 1) return colour;
    }
    return getComputedStyle(root).backgroundColor;
  };
  const seen = new Set();
  const judge = (element, colour, behind) => {
    const [a, b] = [light(colour), light(behind)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const key = `${colour} on ${behind}`;
    if (ratio < 4.5 && !seen.has(key)) wrong.push(`contrast ${ratio.toFixed(2)}: ${key}: ${brief(element)}`);
    seen.add(key);
  };
  for (const element of document.body.querySelectorAll("*")) {
    if (!visible(element)) continue;
    if (element.tagName === "text") {
      const around = element.closest("a")?.querySelector(".pill") ?? element.parentNode.querySelector("circle") ?? element.closest(".part")?.querySelector(".box");
      const fill = around ? getComputedStyle(around).fill : "none";
      judge(element, getComputedStyle(element).fill, fill === "none" ? ground(element.closest("svg")) : fill);
    } else if (!element.closest("svg") && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) {
      judge(element, getComputedStyle(element).color, ground(element));
    }
  }
  return { wrong, checked: seen.size, height: root.scrollHeight };
})()
