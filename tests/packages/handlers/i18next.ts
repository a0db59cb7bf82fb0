import i18next from "npm:i18next@27.1.2";

const i18n = i18next.createInstance();
await i18n.init({
  lng: "de",
  resources: { de: { translation: { items_one: "{{count}} Artikel", items_other: "{{count}} Artikel (mehrere)" } } },
});

export default (c) => c.json([i18n.t("items", { count: 1 }), i18n.t("items", { count: 5 })]);
