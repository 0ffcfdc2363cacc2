from django.urls import path

from catalog import discovery_views, report_views, views

app_name = "catalog"
urlpatterns = [
    path("", views.home, name="home"),
    path("prompts/", views.prompt_list, name="prompt_list"),
    path("prompts/<str:slug>/", views.prompt_detail, name="prompt_detail"),
    path("prompts/<str:slug>/report/", report_views.prompt_report, name="prompt_report"),
    path("prompts/<str:slug>/report/sent/", report_views.report_sent, name="report_sent"),
    path("prompts/<str:slug>/reviews/<uuid:review_id>/report/", report_views.review_report, name="review_report"),
    path("prompts/<str:slug>/card.png", discovery_views.prompt_card_image, name="prompt_card_image"),
    path("covers/<str:slug>.webp", discovery_views.prompt_cover, name="prompt_cover"),
    path("feed.atom", discovery_views.prompt_feed, name="prompt_feed"),
    path("sitemap.xml", discovery_views.sitemap, name="sitemap"),
    path("sitemap-<int:number>.xml", discovery_views.sitemap_file, name="sitemap_file"),
    path("robots.txt", discovery_views.robots, name="robots"),
    path("llms.txt", discovery_views.llms, name="llms"),
]
