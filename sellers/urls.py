from django.urls import path

from sellers import views

app_name = "sellers"
urlpatterns = [
    path("sell/", views.sell, name="sell"),
    path("sell/application/<str:token>/", views.application_status, name="application_status"),
    path("sellers/<str:slug>/", views.seller_detail, name="seller_detail"),
    path("sellers/<str:slug>/feed.atom", views.seller_feed, name="seller_feed"),
]
