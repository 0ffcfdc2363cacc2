"""How every form of the site is drawn."""

from django.forms.renderers import TemplatesSetting


class SiteFormRenderer(TemplatesSetting):
    """`{{ form.title.as_field_group }}` comes from one template."""

    field_template_name = "forms/field.html"
